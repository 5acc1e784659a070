package schema

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

func (b *ruleBuilder) exprs(list []ast.Expr) []expr {
	out := make([]expr, len(list))
	for i, e := range list {
		out[i] = b.expr(e)
	}
	return out
}

// expr compiles one node of the checked tree.
func (b *ruleBuilder) expr(e ast.Expr) expr {
	switch e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.Bool:
			return constant(bool(v))
		case types.String:
			return constant(string(v))
		default:
			return constant(nil)
		}
	case ast.IdentKind:
		if x, ok := b.numbers[e.ID()]; ok {
			return constant(x)
		}
		at, ok := b.scope[strings.TrimPrefix(e.AsIdent(), ".")]
		switch {
		case !ok:
			b.bad(b.info, e, "%s is no value", cut(e.AsIdent(), 60))
			return constant(nil)
		case at.accu:
			return accumulator(at.slot)
		default:
			return variable(at.slot)
		}
	case ast.SelectKind:
		s := e.AsSelect()
		return member(b.expr(s.Operand()), s.FieldName(), s.IsTestOnly(), pathOf(s.Operand()))
	case ast.CallKind:
		return b.call(e)
	case ast.ListKind:
		return makeList(b.exprs(e.AsList().Elements()))
	case ast.MapKind:
		var keys, values []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			keys, values = append(keys, entry.AsMapEntry().Key()), append(values, entry.AsMapEntry().Value())
		}
		return makeRecord(b.exprs(keys), b.exprs(values))
	case ast.ComprehensionKind:
		return b.fold(e.AsComprehension())
	default:
		b.bad(b.info, e, "this expression does not exist here")
		return constant(nil)
	}
}

// pathOf writes the way to a value for messages: self.lines, or the value where it is computed.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return cut(e.AsIdent(), 60)
	case ast.SelectKind:
		return cut(pathOf(e.AsSelect().Operand())+"."+e.AsSelect().FieldName(), 120)
	default:
		return "the value"
	}
}

func (b *ruleBuilder) call(e ast.Expr) expr {
	c := e.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		decisive := name == operators.LogicalOr
		out := b.expr(args[0])
		for _, arg := range args[1:] {
			out = logic(decisive, out, b.expr(arg))
		}
		return out
	case operators.Conditional:
		return conditional(b.expr(args[0]), b.expr(args[1]), b.expr(args[2]))
	case operators.NotStrictlyFalse:
		return notStrictlyFalse(b.expr(args[0]))
	case operators.Add:
		if at, ok := b.accumulated(args[0]); ok && args[1].Kind() == ast.ListKind {
			return grow(at, b.exprs(args[1].AsList().Elements()))
		}
		return call(add, b.exprs(args))
	case "matches":
		return b.matches(e, args)
	default:
		f, ok := functionNamed(name)
		if !ok {
			b.bad(b.info, e, "the function %s does not exist", cut(name, 60))
		}
		return call(f, b.exprs(args))
	}
}

// accumulated gives the slot of a macro's accumulator, where that is what the expression names.
func (b *ruleBuilder) accumulated(e ast.Expr) (slot int, ok bool) {
	if e.Kind() != ast.IdentKind {
		return 0, false
	}
	at, ok := b.scope[e.AsIdent()]
	return at.slot, ok && at.accu
}

func (b *ruleBuilder) matches(e ast.Expr, args []ast.Expr) expr {
	if args[1].Kind() == ast.LiteralKind {
		if text, ok := args[1].AsLiteral().(types.String); ok {
			r, fault := compileRegex(string(text))
			if fault != "" {
				b.bad(b.info, args[1], "the regular expression is not valid: %s", cut(fault, 200))
			}
			return call(matches, []expr{b.expr(args[0]), constant(r)})
		}
	}
	b.bad(b.info, e, "the regular expression of matches is written into the rule, not computed")
	return constant(nil)
}

// fold compiles a macro. Its variables are known inside alone; two macros beside each other have slots of their own.
func (b *ruleBuilder) fold(c ast.ComprehensionExpr) expr {
	f := &fold{over: b.expr(c.IterRange()), init: b.expr(c.AccuInit()), item: b.slots, accu: b.slots + 1}
	b.slots += 2
	f.lasting = c.LoopCondition().Kind() == ast.CallKind && c.LoopCondition().AsCall().FunctionName() == operators.NotStrictlyFalse
	leave := b.bind(c.AccuVar(), binding{f.accu, true})
	inner := b.bind(c.IterVar(), binding{f.item, false})
	f.cond, f.step = b.expr(c.LoopCondition()), b.expr(c.LoopStep())
	inner()
	f.result = b.expr(c.Result())
	leave()
	return f.eval
}

// bind gives a name a meaning and returns what takes it back.
func (b *ruleBuilder) bind(name string, to binding) func() {
	before, had := b.scope[name]
	b.scope[name] = to
	return func() {
		if had {
			b.scope[name] = before
		} else {
			delete(b.scope, name)
		}
	}
}

// compared gives the two sides of a rule that is one comparison.
func (b *ruleBuilder) compared(e ast.Expr) (left, right expr) {
	if e.Kind() != ast.CallKind {
		return nil, nil
	}
	switch e.AsCall().FunctionName() {
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		sides := b.exprs(e.AsCall().Args())
		return sides[0], sides[1]
	default:
		return nil, nil
	}
}
