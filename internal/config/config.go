// Package config holds the configuration of promptd: its structure, its defaults and the ways it is given.
//
// It is for the wiring alone: other packages take their own small arguments and never import it. It opens no connection and starts
// nothing; it reads the file, the environment and the files that secrets point to.
//
// The main type is [Config]; [Load] makes one. Every key is declared once, as a field with tags for name, default, range and one line
// of text. From that one declaration come the decoder (flag, then environment, then file, then default), the JSON Schema of the file
// ([JSONSchema]) and the reference page ([Reference]). The file is parsed by a YAML library into a syntax tree with positions;
// the tree is decoded here, because only so every fault can be reported at once with line, column and a hint, variables can be expanded
// after parsing (a value can never become structure), and no secret is ever shown in an excerpt.
package config

import (
	"time"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// Config is the whole configuration. Tags of its fields: yaml is the key, default its value as text, text what it is for,
// enum the allowed values, min and max the inclusive range, live that a reload takes it over.
type Config struct {
	Listen      string     `yaml:"listen" default:"127.0.0.1:8420" format:"address" text:"Address of the API."`
	AdminListen string     `yaml:"admin_listen" default:"" format:"address" text:"Address of metrics, health and profiles apart from the API; empty means that there is none."`
	DataDir     string     `yaml:"data_dir" default:"./promptd-data" format:"filled" text:"Folder of the embedded stores and of the local model."`
	Roles       []string   `yaml:"roles" default:"api,worker,console" enum:"api,worker,console,pipeline" text:"What this process does."`
	Database    Database   `yaml:"database" text:"What must be durable: keys, jobs, schemas, history."`
	Cache       Cache      `yaml:"cache" text:"Answers that are kept to be given again."`
	State       State      `yaml:"state" text:"Limits, locks and learned state that processes share."`
	Broker      Broker     `yaml:"broker" text:"Carries the ids of jobs to workers."`
	Jobs        Jobs       `yaml:"jobs" text:"Work that is done later."`
	TLS         TLS        `yaml:"tls" text:"The API's own TLS listener; without a certificate it speaks plain HTTP."`
	Auth        Auth       `yaml:"auth" text:"Who may call."`
	Limits      Limits     `yaml:"limits" text:"What is refused before it costs anything."`
	CORS        CORS       `yaml:"cors" text:"Which web pages may call the API."`
	Webhooks    Webhooks   `yaml:"webhooks" text:"Messages to callers' endpoints."`
	Privacy     Privacy    `yaml:"privacy" text:"What is kept of prompts and answers."`
	Routing     Routing    `yaml:"routing" text:"Which provider and model is tried, how often and in which order."`
	Providers   []Provider `yaml:"providers" live:"yes" text:"Accounts at services. Without this key every service is used whose usual variable is set."`
	Telemetry   Telemetry  `yaml:"telemetry" text:"Logs and traces."`
}

// Database is where durable things are kept.
type Database struct {
	URL         Locator   `yaml:"url" default:"sqlite:promptd.db" text:"sqlite:FILE (relative to data_dir) or postgres://…"`
	ReplicaURLs []Locator `yaml:"replica_urls" default:"" text:"Read replicas of a PostgreSQL database."`
}

// Cache keeps answers.
type Cache struct {
	URL      Locator       `yaml:"url" default:"memory:" text:"memory: or redis://…, rediss://…, redis+cluster://…"`
	TTL      time.Duration `yaml:"ttl" default:"1h" min:"60s" max:"24h" text:"How long an answer is kept where the request does not say."`
	MemoryMB int           `yaml:"memory_mb" default:"100" min:"1" max:"1048576" text:"Bound of the cache in memory, in megabytes."`
}

// State is what processes share.
type State struct {
	URL Locator `yaml:"url" default:"" text:"As cache.url; empty means the same as cache.url."`
}

// Broker carries ids of jobs.
type Broker struct {
	URL Locator `yaml:"url" default:"embedded:" text:"embedded: or amqp://…, amqps://…"`
}

// Jobs is work that is done later.
type Jobs struct {
	Concurrency int           `yaml:"concurrency" default:"64" min:"1" max:"10000" text:"Prompts of jobs that this process works on at once."`
	Lease       time.Duration `yaml:"lease" default:"30s" min:"1s" max:"10m" text:"How long a worker may be silent before others do its work again."`
	MaxAttempts int           `yaml:"max_attempts" default:"5" min:"1" max:"100" text:"How often a prompt of a job is tried, and how many workers it may take down, before it has failed."`
}

// TLS is the API's own listener.
type TLS struct {
	Cert       string `yaml:"cert" default:"" text:"File of the certificate chain in PEM."`
	Key        string `yaml:"key" default:"" text:"File of the private key in PEM."`
	MinVersion string `yaml:"min_version" default:"1.3" enum:"1.2,1.3" text:"Lowest version of TLS."`
}

// Auth says who may call.
type Auth struct {
	Mode                    string `yaml:"mode" default:"keys" enum:"keys,none" text:"keys: every call needs an API key. none: no call does, allowed only where listen is a loopback address."`
	DefaultRateLimitPerHour int    `yaml:"default_rate_limit_per_hour" default:"1000" min:"0" max:"1000000000" live:"yes" text:"Requests per hour of a key that has no limit of its own; 0 means no limit."`
}

// Limits are what is refused at the door.
type Limits struct {
	PromptChars    int   `yaml:"prompt_chars" default:"10000" min:"1" max:"10000000" live:"yes" text:"Longest prompt in code points, after normalising; a key may have its own."`
	BodyBytes      Bytes `yaml:"body_bytes" default:"10485760" min:"1024" max:"1073741824" live:"yes" text:"Largest body of a request."`
	UploadBytes    Bytes `yaml:"upload_bytes" default:"1073741824" min:"1024" max:"1099511627776" live:"yes" text:"Largest upload of documents or of a bulk job."`
	SchemaBytes    Bytes `yaml:"schema_bytes" default:"262144" min:"64" max:"16777216" live:"yes" text:"Largest schema."`
	MaxConcurrency int   `yaml:"max_concurrency" default:"1000" min:"1" max:"1000000" live:"yes" text:"Requests worked on at once; more are answered 503 at once."`
}

// CORS says which web pages may call.
type CORS struct {
	Origins []string `yaml:"origins" default:"" format:"origin" text:"Allowed origins such as https://app.example.com; * allows every page."`
}

// Webhooks are messages to callers' endpoints.
type Webhooks struct {
	AllowPrivateNetworks bool          `yaml:"allow_private_networks" default:"false" text:"Allow targets on loopback and private networks."`
	MaxAge               time.Duration `yaml:"max_age" default:"24h" min:"1m" max:"720h" text:"How long a message is tried again."`
}

// Privacy says what is kept.
type Privacy struct {
	PII           string `yaml:"pii" default:"off" enum:"off" text:"What is done about personal data in prompts where the request does not say."`
	StorePrompts  bool   `yaml:"store_prompts" default:"true" text:"Keep the texts of prompts and answers in the request history."`
	RetentionDays int    `yaml:"retention_days" default:"30" min:"1" max:"36500" text:"How long the request history is kept."`
}

// Routing orders and repeats attempts.
type Routing struct {
	Strategy   string        `yaml:"strategy" default:"least-busy" enum:"least-busy,cost,latency,quality,weighted" text:"Order of candidates where the request does not say."`
	Retries    Retries       `yaml:"retries" text:"Further attempts of one request."`
	Breaker    Breaker       `yaml:"breaker" text:"When a provider's model is left alone for a while."`
	HedgeAfter time.Duration `yaml:"hedge_after" default:"0s" min:"0s" max:"10m" text:"Ask a second candidate when the first has not answered by then; 0s means never."`
}

// Retries bounds the attempts of one request.
type Retries struct {
	MaxAttempts int           `yaml:"max_attempts" default:"4" min:"1" max:"10" live:"yes" text:"Provider calls of one request in all: retries, re-asks, fallbacks, hedges."`
	Base        time.Duration `yaml:"base" default:"200ms" min:"1ms" max:"1m" live:"yes" text:"First wait before the same candidate is asked again; doubled each time, with full jitter."`
	Cap         time.Duration `yaml:"cap" default:"5s" min:"1ms" max:"10m" live:"yes" text:"Longest such wait."`
}

// Breaker leaves a failing model alone.
type Breaker struct {
	FailureShare float64       `yaml:"failure_share" default:"0.5" min:"0.01" max:"1" live:"yes" text:"Share of failed calls that opens the breaker."`
	MinCalls     int           `yaml:"min_calls" default:"20" min:"1" max:"100000" live:"yes" text:"Calls in the window before the share counts."`
	Window       time.Duration `yaml:"window" default:"30s" min:"1s" max:"1h" live:"yes" text:"Window in which calls are counted."`
	OpenFor      time.Duration `yaml:"open_for" default:"30s" min:"1s" max:"1h" live:"yes" text:"How long an open breaker lets no call through."`
}

// Provider is an account at a service.
type Provider struct {
	Name             string            `yaml:"name" default:"" format:"name" text:"Name in requests, answers and metrics; a name of the catalogue brings dialect, base_url and models with it."`
	Dialect          string            `yaml:"dialect" default:"" text:"Wire format: openai, openai-responses, anthropic, gemini, bedrock, llamacpp or ollama; the catalogue knows that of public services."`
	BaseURL          string            `yaml:"base_url" default:"" format:"url" text:"Address of the service; the catalogue knows that of public services."`
	APIKey           Secret            `yaml:"api_key" default:"" text:"Credential, best as a reference such as env:OPENAI_API_KEY; for a service of the catalogue its usual variable is the default."`
	Timeout          time.Duration     `yaml:"timeout" default:"30s" min:"100ms" max:"10m" text:"Bound of a whole attempt."`
	FirstByteTimeout time.Duration     `yaml:"first_byte_timeout" default:"10s" min:"10ms" max:"10m" text:"Bound of the wait for the first byte of an answer."`
	Auth             ProviderAuth      `yaml:"auth" text:"How the credential is sent."`
	Headers          map[string]Secret `yaml:"headers" default:"" text:"Further headers of every call; values may be references."`
	Region           string            `yaml:"region" default:"" text:"Where the data are processed, for data residency."`
	Weight           int               `yaml:"weight" default:"1" min:"0" max:"1000000" text:"Share under the weighted strategy."`
	APIKeys          []Secret          `yaml:"api_keys" default:"" text:"Several credentials, used in turn."`
	MaxConcurrency   int               `yaml:"max_concurrency" default:"64" min:"1" max:"100000" text:"Calls at once."`
	Limits           ProviderLimits    `yaml:"limits" text:"The account's own limits at the service."`
	Profile          string            `yaml:"profile" default:"" text:"Schema profile where it is not the dialect's own, such as openai:vllm; the catalogue knows that of public services."`
	Deviations       []string          `yaml:"deviations" default:"" enum:"max_tokens,max_completion_tokens,no_stream_options,no_strict,require_parameters,no_store,temperature_below_2" text:"What the service does differently from the dialect openai; the catalogue knows those of public services."`
	Batches          bool              `yaml:"batches" default:"false" text:"The service has the batch API of its dialect (openai, openai-responses, anthropic, gemini) at half the price: jobs with urgency low go through it. The catalogue knows that of public services; false says that it is not to be used."`
	Models           []Model           `yaml:"models" default:"" text:"Models to use; for a service of the catalogue its usual model is the default."`

	// Service is what the catalogue knows of the service; zero for one it does not know.
	Service catalogue.Service `yaml:"-"`
	// Discovered says that the provider was not configured but found by its variable.
	Discovered bool `yaml:"-"`
}

// Credentials gives every credential of the provider in the order of use.
func (p Provider) Credentials() []Secret {
	var out []Secret
	if p.APIKey.IsSet() {
		out = append(out, p.APIKey)
	}
	return append(out, p.APIKeys...)
}

// ProviderAuth says how the credential is sent.
type ProviderAuth struct {
	Type         string `yaml:"type" default:"bearer" enum:"bearer,header,sigv4,google,azure" text:"bearer: Authorization: Bearer. header: the header named beside. sigv4: signatures of AWS. google: access tokens of Google Cloud, which promptd renews. azure: the header api-key, and api_version."`
	Header       string `yaml:"header" default:"x-api-key" format:"header" text:"Header of type header."`
	Region       string `yaml:"region" default:"" text:"Region of a cloud account, for its address or its signatures; else the address of AWS or AWS_REGION says it."`
	Project      string `yaml:"project" default:"" text:"Project at Google Cloud, for the address; else the key file or GOOGLE_CLOUD_PROJECT says it."`
	Location     string `yaml:"location" default:"" text:"Location at Google Cloud, for the address, such as europe-west4 or global; else GOOGLE_CLOUD_LOCATION says it."`
	AccessKey    Secret `yaml:"access_key" default:"" text:"Access key of type sigv4."`
	SecretKey    Secret `yaml:"secret_key" default:"" text:"Secret key of type sigv4."`
	SessionToken Secret `yaml:"session_token" default:"" text:"Session token of type sigv4."`
	APIVersion   string `yaml:"api_version" default:"" text:"Version of the API for type azure, where the address is not the one with /v1."`
}

// ProviderLimits are the account's own limits at the service.
type ProviderLimits struct {
	RPM int `yaml:"rpm" default:"0" min:"0" max:"100000000" text:"Requests per minute; 0 means no limit."`
	TPM int `yaml:"tpm" default:"0" min:"0" max:"100000000000" text:"Tokens per minute; 0 means no limit."`
}

// Model is a provider's model. What is not given comes from the catalogue.
type Model struct {
	Name            string   `yaml:"name" default:"" format:"filled" text:"Name as the service calls it."`
	Tier            int      `yaml:"tier" default:"2" min:"1" max:"3" text:"Quality: 3 is best."`
	Modes           []string `yaml:"modes" default:"" enum:"strict,tool,grammar,json,prompt" text:"Modes of structured output that may be used; empty means every one that the dialect and the service have."`
	ContextWindow   int      `yaml:"context_window" default:"0" min:"0" max:"1000000000" text:"Bound of input and output in tokens; 0 means not known."`
	MaxOutputTokens int      `yaml:"max_output_tokens" default:"0" min:"0" max:"1000000000" text:"Bound of the output in tokens; 0 means not known."`
	Vision          bool     `yaml:"vision" default:"false" text:"Takes images."`
	Reasoning       bool     `yaml:"reasoning" default:"false" text:"Thinks before it answers."`
	Price           Price    `yaml:"price" text:"List price in US dollars per million tokens. A price that is not known leaves costs absent."`

	// Facts is the model as the catalogue and the configuration together describe it: what the program uses.
	Facts catalogue.Model `yaml:"-"`
}

// Price is a price that overrides the catalogue's.
type Price struct {
	Input       catalogue.USD `yaml:"input" default:"0" min:"0" max:"1000000" text:"Price of input."`
	CachedInput catalogue.USD `yaml:"cached_input" default:"0" min:"0" max:"1000000" text:"Price of input that the service had in its cache; not given: that of input."`
	CacheWrite  catalogue.USD `yaml:"cache_write" default:"0" min:"0" max:"1000000" text:"Price of input that the service puts into its cache; not given: that of input."`
	Output      catalogue.USD `yaml:"output" default:"0" min:"0" max:"1000000" text:"Price of output."`
	Reasoning   catalogue.USD `yaml:"reasoning" default:"0" min:"0" max:"1000000" text:"Price of thoughts; not given: that of output."`
}

// Telemetry is logs and traces.
type Telemetry struct {
	OTLPEndpoint string `yaml:"otlp_endpoint" default:"" format:"url" text:"OTLP/HTTP address of a trace collector such as http://127.0.0.1:4318; empty means no traces."`
	LogLevel     string `yaml:"log_level" default:"info" enum:"debug,info,warn,error" live:"yes" text:"Lowest level that is logged."`
	LogFormat    string `yaml:"log_format" default:"json" enum:"json,text" text:"json: Elastic Common Schema, a line each. text: for people."`
}

// Bytes is a size; the file may say 10485760 or "10MiB".
type Bytes int64
