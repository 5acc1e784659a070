package damage_test

import (
	"math/rand/v2"
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/repair/damage"
	"github.com/promptd/promptd/internal/value"
)

// sample has a place for every kind of damage.
func sample(t *testing.T) value.Value {
	t.Helper()
	v, err := value.DecodeString(`{"name":"Ada Lovelace","said":"a \"fine\" engine it was","path":"C:\\dir it's","lines":"one\ntwo","n":12345,"x":0.5,"ok":true,"no":false,
		"none":null,"list":[1,2,3],"rows":[{"id":1,"tag":"first"},{"id":2,"tag":"second"}]}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSameSeedGivesSameDamage(t *testing.T) {
	t.Parallel()
	v := sample(t)
	for _, kind := range damage.Kinds() {
		for seed := range uint64(20) {
			a, keepsA := damage.Apply(kind, v, rand.New(rand.NewPCG(seed, 1)))
			b, keepsB := damage.Apply(kind, v, rand.New(rand.NewPCG(seed, 1)))
			if a != b || keepsA != keepsB {
				t.Errorf("%s: the seed %d gives\n%s\nand\n%s", kind, seed, a, b)
			}
		}
	}
}

func TestEveryKindIsDoneAndReported(t *testing.T) {
	t.Parallel()
	object := sample(t)
	rows, _ := object.Get("rows")
	for _, kind := range damage.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			damaged, reported := 0, 0
			for seed := range uint64(200) {
				v := object
				if kind == repair.KindConcatenated {
					v = rows // Only a list of objects can stand one behind the other.
				}
				text, _ := damage.Apply(kind, v, rand.New(rand.NewPCG(seed, 2)))
				if _, err := value.DecodeString(text, value.Limits{}); err == nil {
					continue
				}
				damaged++
				got, err := repair.Read(text, repair.Hints{YAML: kind == repair.KindYAML, XML: kind == repair.KindXML})
				if err != nil {
					t.Errorf("%q: %v", text, err)
				}
				for _, r := range got.Repairs {
					if r.Kind == kind {
						reported++
						break
					}
				}
			}
			if damaged < 190 {
				t.Errorf("%d of 200 texts are damaged", damaged)
			}
			// A neighbour may name the fault: a value that is missing before a brace, say, makes the comma a trailing one.
			if reported*100 < damaged*95 {
				t.Errorf("%d of %d damaged texts are reported as %s", reported, damaged, kind)
			}
		})
	}
}
