package schema

import (
	"strconv"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// signature is one way to call a function.
type signature struct {
	name   string
	member bool
	args   []*types.Type
	result *types.Type
}

// declarations are the types of everything that a rule may use. They are CEL's own, but for numbers: there is one type of them, an exact decimal, in place of
// int, uint and double.
func declarations() (*checker.Env, error) {
	registry := types.NewEmptyRegistry()
	env, err := checker.NewEnv(containers.DefaultContainer, registry)
	if err != nil {
		return nil, err
	}
	err = env.AddIdents(decls.NewVariable(selfName, types.DynType), decls.NewVariable(numberName, numberType()))
	if err != nil {
		return nil, err
	}
	var functions []*decls.FunctionDecl
	for list := signatures(); len(list) > 0; {
		name, n := list[0].name, 0
		var options []decls.FunctionOpt
		for ; n < len(list) && list[n].name == name; n++ {
			option := decls.Overload
			if list[n].member {
				option = decls.MemberOverload
			}
			options = append(options, option(name+"/"+strconv.Itoa(n), list[n].args, list[n].result))
		}
		f, err := decls.NewFunction(name, options...)
		if err != nil {
			return nil, err
		}
		functions, list = append(functions, f), list[n:]
	}
	return env, env.AddFunctions(functions...)
}

func numberType() *types.Type { return types.NewOpaqueType("number") }

// signatures lists what can be called, the ways of one function behind one another.
func signatures() []signature {
	number, text, truth, moment, span := numberType(), types.StringType, types.BoolType, types.TimestampType, types.DurationType
	a, b := types.NewTypeParamType("A"), types.NewTypeParamType("B")
	listOf, mapOf := types.NewListType(a), types.NewMapType(a, b)
	var list []signature
	way := func(name string, member bool, result *types.Type, args ...*types.Type) {
		list = append(list, signature{name, member, args, result})
	}
	way(operators.LogicalAnd, false, truth, truth, truth)
	way(operators.LogicalOr, false, truth, truth, truth)
	way(operators.LogicalNot, false, truth, truth)
	way(operators.NotStrictlyFalse, false, truth, truth)
	way(operators.Conditional, false, a, truth, a, a)
	for _, name := range []string{operators.Equals, operators.NotEquals} {
		way(name, false, truth, a, a)
	}
	for _, name := range []string{operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals} {
		for _, t := range []*types.Type{number, text, moment, span} {
			way(name, false, truth, t, t)
		}
	}
	for _, t := range []*types.Type{number, text, listOf, span} {
		way(operators.Add, false, t, t, t)
	}
	way(operators.Add, false, moment, moment, span)
	way(operators.Add, false, moment, span, moment)
	way(operators.Subtract, false, number, number, number)
	way(operators.Subtract, false, span, moment, moment)
	way(operators.Subtract, false, moment, moment, span)
	way(operators.Subtract, false, span, span, span)
	for _, name := range []string{operators.Multiply, operators.Divide, operators.Modulo} {
		way(name, false, number, number, number)
	}
	way(operators.Negate, false, number, number)
	way(operators.Negate, false, span, span)
	way(operators.Index, false, a, listOf, number)
	way(operators.Index, false, b, mapOf, a)
	way(operators.In, false, truth, a, listOf)
	way(operators.In, false, truth, a, mapOf)
	for _, t := range []*types.Type{text, listOf, mapOf} {
		way("size", false, number, t)
		way("size", true, number, t)
	}
	for _, name := range []string{"contains", "startsWith", "endsWith", "matches"} {
		way(name, true, truth, text, text)
	}
	way("matches", false, truth, text, text)
	for _, name := range []string{"lowerAscii", "upperAscii", "trim"} {
		way(name, true, text, text)
	}
	for _, name := range []string{"sum", "min", "max"} {
		way(name, true, number, types.NewListType(number))
	}
	way("unique", true, truth, listOf)
	for _, name := range []string{"abs", "round", "floor", "ceil", "trunc"} {
		way(name, false, number, number)
		if name == "round" {
			way(name, false, number, number, number)
		}
	}
	for _, name := range []string{"number", "double", "int"} {
		way(name, false, number, number)
		way(name, false, number, text)
	}
	for _, t := range []*types.Type{text, number, truth, moment, span} {
		way("string", false, text, t)
	}
	way("timestamp", false, moment, text)
	way("date", false, moment, text)
	way("duration", false, span, text)
	way("dyn", false, types.DynType, a)
	return list
}
