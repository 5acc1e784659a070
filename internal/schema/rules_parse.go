package schema

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// Bounds of rules. What a rule may cost on a value is bounded by ruleSteps.
const (
	maxRuleLength = 2000 // code points
	maxRuleNodes  = 500
	maxRuleDepth  = 40
	// maxRules and maxRulesLength bound what compiling all rules of a schema takes.
	maxRules       = 200
	maxRulesLength = 20_000
)

const (
	selfName = "self"
	// numberName stands in place of every number of a rule when its types are checked; no rule can write it.
	numberName = "@number"
)

// ruleProgram is a compiled rule.
type ruleProgram struct {
	eval  expr
	slots int
	nodes int
	// left and right are the sides of a rule that is one comparison, for its report.
	left, right expr
}

// ruleCompiler compiles the rules of one schema: CEL's own parser, macros and type checker, then closures over exact numbers. The library's interpreter is not
// used: its numbers are doubles, and its budget is not the trial's.
type ruleCompiler struct {
	parser *parser.Parser
	env    *checker.Env
	rules  int
	length int
}

func newRuleCompiler() (*ruleCompiler, error) {
	p, err := parser.NewParser(
		parser.Macros(parser.AllMacros...), parser.MaxRecursionDepth(2*maxRuleDepth), parser.ErrorRecoveryLimit(4),
		parser.ErrorReportingLimit(4), parser.ExpressionSizeCodePointLimit(maxRuleLength), parser.MaxExpressionNodeCount(2*maxRuleNodes),
	)
	if err != nil {
		return nil, err
	}
	env, err := declarations()
	if err != nil {
		return nil, err
	}
	return &ruleCompiler{parser: p, env: env}, nil
}

// compile makes a program of a rule, or says what is wrong with it.
func (c *ruleCompiler) compile(text string) (*ruleProgram, string) {
	n := utf8.RuneCountInString(text)
	if n > maxRuleLength {
		return nil, fmt.Sprintf("it has %d characters; the limit is %d", n, maxRuleLength)
	}
	c.rules++
	if c.length += n; c.rules > maxRules || c.length > maxRulesLength {
		return nil, fmt.Sprintf("the schema has more than %d rules or %d characters of rules", maxRules, maxRulesLength)
	}
	source := common.NewTextSource(text)
	parsed, errs := c.parser.Parse(source)
	if found := errs.GetErrors(); len(found) > 0 {
		return nil, firstError(found)
	}
	b := &ruleBuilder{source: []rune(text), numbers: map[int64]exact{}, scope: map[string]binding{selfName: {slot: 0}}, slots: 1}
	b.prepare(parsed.Expr(), parsed.SourceInfo(), 0)
	if b.problem != "" {
		return nil, b.problem
	}
	checked, errs := checker.Check(parsed, source, c.env)
	if found := errs.GetErrors(); len(found) > 0 {
		return nil, firstError(found)
	}
	if t := checked.GetType(checked.Expr().ID()); !t.IsExactType(types.BoolType) && !t.IsExactType(types.DynType) {
		return nil, fmt.Sprintf("its result is of type %s; a rule is true or false", t)
	}
	b.info = checked.SourceInfo()
	eval := b.expr(checked.Expr())
	if b.problem != "" {
		return nil, b.problem
	}
	p := &ruleProgram{eval: eval, nodes: b.nodes}
	p.left, p.right = b.compared(checked.Expr())
	p.slots = b.slots
	return p, ""
}

// firstError says the compiler's first error with its place.
func firstError(found []*common.Error) string {
	e := found[0]
	message, _, _ := strings.Cut(e.Message, "\n")
	message = cut(strings.ReplaceAll(message, " (in container '')", ""), 300)
	if strings.HasPrefix(message, "invalid int literal") || strings.HasPrefix(message, "invalid double literal") {
		message += `: a larger number is written as number("…")`
	}
	more := ""
	if n := len(found) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	if e.Location.Line() < 1 {
		return message + more
	}
	return fmt.Sprintf("line %d, column %d: %s%s", e.Location.Line(), e.Location.Column()+1, message, more)
}

// binding is what a name means.
type binding struct {
	slot int
	accu bool
}

// ruleBuilder turns a checked tree into closures.
type ruleBuilder struct {
	source  []rune
	info    *ast.SourceInfo
	numbers map[int64]exact
	scope   map[string]binding
	slots   int
	nodes   int
	problem string
}

func (b *ruleBuilder) bad(info *ast.SourceInfo, e ast.Expr, format string, args ...any) {
	if b.problem == "" {
		at := info.GetStartLocation(e.ID())
		b.problem = fmt.Sprintf("line %d, column %d: ", at.Line(), at.Column()+1) + fmt.Sprintf(format, args...)
	}
}

// prepare counts the nodes and puts a name of type number in place of each number, for CEL would read it as an int or a double. Its exact value is kept aside.
func (b *ruleBuilder) prepare(e ast.Expr, info *ast.SourceInfo, depth int) {
	if b.nodes++; b.problem == "" && (b.nodes > maxRuleNodes || depth > maxRuleDepth) {
		b.problem = fmt.Sprintf("it is too large: at most %d parts, nested at most %d deep", maxRuleNodes, maxRuleDepth)
	}
	if b.problem != "" {
		return
	}
	children := func(list ...ast.Expr) {
		for _, sub := range list {
			b.prepare(sub, info, depth+1)
		}
	}
	switch e.Kind() {
	case ast.LiteralKind:
		b.literal(e, info)
	case ast.SelectKind:
		children(e.AsSelect().Operand())
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			children(e.AsCall().Target())
		}
		children(e.AsCall().Args()...)
	case ast.ListKind:
		children(e.AsList().Elements()...)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			children(entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case ast.ComprehensionKind:
		f := e.AsComprehension()
		children(f.IterRange(), f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result())
	case ast.StructKind:
		b.bad(info, e, "messages such as %s{} do not exist here", cut(e.AsStruct().TypeName(), 60))
	default:
	}
}

func (b *ruleBuilder) literal(e ast.Expr, info *ast.SourceInfo) {
	var x exact
	switch v := e.AsLiteral().(type) {
	case types.Int:
		x = exactInt(int64(v))
	case types.Uint:
		x, _ = parseExact(fmt.Sprint(uint64(v)))
	case types.Double:
		at, _ := info.GetOffsetRange(e.ID())
		text := b.digits(int(at.Start))
		var ok bool
		if x, ok = parseExact(text); !ok {
			b.bad(info, e, "the number %s is too large or too small", cut(text, 60))
			return
		}
		if math.Signbit(float64(v)) {
			x = x.neg()
		}
	case types.Bytes:
		b.bad(info, e, "bytes do not exist in JSON; write a string")
		return
	default:
		return
	}
	b.numbers[e.ID()] = x
	e.SetKindCase(ast.NewExprFactory().NewIdent(e.ID(), numberName))
}

// digits reads a number's text from the rule, without its sign: the parser keeps only a double of it.
func (b *ruleBuilder) digits(at int) string {
	isSpace := func(r rune) bool { return r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f' }
	for at < len(b.source) && isSpace(b.source[at]) {
		at++
	}
	end := at
	for end < len(b.source) {
		r := b.source[end]
		exponent := (r == '+' || r == '-') && end > at && (b.source[end-1] == 'e' || b.source[end-1] == 'E')
		if (r < '0' || r > '9') && r != '.' && r != 'e' && r != 'E' && !exponent {
			break
		}
		end++
	}
	return string(b.source[at:end])
}
