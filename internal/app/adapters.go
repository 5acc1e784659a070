package app

import (
	"slices"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/dialect/ollama"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// dialects are the wire formats that this program speaks.
func dialects() []dialect.Dialect {
	return []dialect.Dialect{
		openai.New(),
		responses.New(),
		anthropic.New(),
		gemini.New(),
		bedrock.New(),
		llamacpp.New(),
		ollama.New(),
	}
}

// engines are the stores that database.url may name.
func engines() []engine {
	return []engine{
		{"sqlite", openSQLite},
		{"postgres", openPostgres},
		{"postgresql", openPostgres},
	}
}

// carriers are the brokers that broker.url may name.
func carriers() []carrier {
	return []carrier{
		{"embedded", openEmbedded},
		{"amqp", openRabbitMQ},
		{"amqps", openRabbitMQ},
	}
}

func dialectNamed(name string) (dialect.Dialect, bool) {
	all := dialects()
	i := slices.IndexFunc(all, func(d dialect.Dialect) bool { return d.Name() == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// Adapters says what this program has, so that a configuration that asks for more is refused with a list of what there is.
func Adapters() config.Adapters {
	var names []string
	for _, d := range dialects() {
		names = append(names, d.Name())
	}
	var databases []string
	for _, e := range engines() {
		databases = append(databases, e.scheme)
	}
	var brokers []string
	for _, k := range carriers() {
		brokers = append(brokers, k.scheme)
	}
	return config.Adapters{
		Dialects:   names,
		Profiles:   lowering.Names(),
		AuthTypes:  authTypes(),
		Strategies: router.Names(),
		Databases:  databases,
		Caches:     []string{"memory", "redis", "rediss", "redis+cluster", "rediss+cluster"},
		Brokers:    brokers,
	}
}
