package config

import (
	"fmt"
	"strings"
)

// Reference writes the reference page of the configuration, from the declarations.
func Reference() string {
	var b strings.Builder
	b.WriteString(`<!-- Code generated from internal/config; DO NOT EDIT. go test ./internal/config -run Reference -update writes it. -->

# Configuration

A flag wins over an environment variable, a variable over the file, the file over the default. The file is YAML; ` + "`promptd serve`" + ` reads
` + "`promptd.yaml`" + ` in the current folder where no ` + "`--config`" + ` names another. A key that does not exist, a wrong type, a key that is there twice and a
value out of range are errors with line and column; ` + "`promptd check`" + ` shows all of them at once, and ` + "`promptd check --schema`" + ` prints the JSON Schema of the file.

- **Variables in values.** ` + "`${NAME}`" + ` is replaced by the variable's value; one that is not set is an error; ` + "`$${`" + ` stands for ` + "`${`" + ` itself.
- **Secrets** are best given as a reference: ` + "`env:NAME`" + ` or ` + "`file:/run/secrets/name`" + `. They are never printed. A reload (SIGHUP) reads them again.
- **Durations** are written ` + "`200ms`, `30s`, `5m`, `1h30m` or `7d`" + `, **sizes** in bytes or as ` + "`64KiB`, `10MiB`, `1GiB`" + `, **lists** in a variable with commas,
  and ` + "`PROMPTD_PROVIDERS`" + ` as YAML. A variable that begins with ` + "`PROMPTD_`" + ` and has no meaning is a warning.
- **Providers.** Without the key ` + "`providers`" + ` every service of the catalogue is used whose usual variable is set, such as ` + "`OPENAI_API_KEY`" + `.
- **Reload.** Keys marked *yes* take a new value over on SIGHUP; the others need a restart, and a reload says so.

`)
	var top []Key
	sections := map[string][]Key{}
	var order []string
	for _, k := range Keys() {
		dot := strings.LastIndexByte(k.Path, '.')
		if k.field.kind == kindObject || k.field.kind == kindObjects {
			order = append(order, k.Path)
		}
		if dot < 0 {
			top = append(top, k)
			continue
		}
		sections[k.Path[:dot]] = append(sections[k.Path[:dot]], k)
	}
	b.WriteString("## At the top\n\n")
	writeKeys(&b, top)
	for _, s := range order {
		keys := sections[s]
		if keys == nil {
			s += "[]"
			keys = sections[s]
		}
		fmt.Fprintf(&b, "\n## %s\n\n", s)
		writeKeys(&b, keys)
	}
	return b.String()
}

func writeKeys(b *strings.Builder, keys []Key) {
	b.WriteString("| key | type | default | variable | reload | what it is |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, k := range keys {
		live := ""
		if k.Live {
			live = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", k.field.name, k.field.allowed(), code(k.Default), code(k.Variable), live, strings.ReplaceAll(k.Text, "|", `\|`))
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// allowed gives type, allowed values and range in words.
func (f field) allowed() string {
	w := f.words()
	if f.enum != nil {
		values := "`" + strings.Join(f.enum, "`, `") + "`"
		if f.kind == kindList {
			return "list of " + values
		}
		return values
	}
	if f.min == "" {
		return w
	}
	low, high := f.min, f.max
	if f.kind == kindDuration {
		a, _ := parseDuration(low)
		z, _ := parseDuration(high)
		low, high = showDuration(a), showDuration(z)
	}
	return w + ", " + low + " to " + high
}
