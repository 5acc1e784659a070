package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/fault"
)

// The connections of a process; pool_max_conns in the URL is heeded.
const (
	mostConns = 16
	// connectPatience is how long one address may take to answer; connect_timeout in the URL is heeded.
	connectPatience = 5 * time.Second
	// pingPatience is how long a connection that lay idle may take to show that it lives.
	pingPatience = 2 * time.Second
	idleFor      = 5 * time.Minute
)

// What the server itself ends, in milliseconds, so that it says why, and holds no locks for a client that it has lost.
const (
	statementTimeout = 15_000
	lockTimeout      = 3_000
	idleInTxTimeout  = 15_000
)

// oldest is the oldest server that the statements run on, as server_version_num.
const oldest = 150_000

// Server is what is found at a database's URL.
type Server struct {
	// Version is the server's, as server_version_num: 150018 for 15.18.
	Version int
	// Pooled says that something stands before the server that hands its connections on, such as PgBouncer.
	Pooled bool
	// Replica says that it follows another server and can't be written.
	Replica bool
	// MaxConnections is the server's limit for all of its clients.
	MaxConnections int
	// PoolSize is how many connections this program opens to it at most.
	PoolSize int
}

// Release is the server's version as people write it: 15.18.
func (s Server) Release() string { return fmt.Sprintf("%d.%d", s.Version/10_000, s.Version%10_000) }

// target is a database that was looked at.
type target struct {
	config *pgxpool.Config
	server Server
}

// parse reads a URL. Its errors do not show the password.
func parse(raw string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(raw)
	if err != nil {
		f := fault.New(fault.InvalidRequest, "the URL of the database can't be read").Because(errors.New("parse the URL of the database"))
		f.Remediation = "Write postgres://user:password@host:5432/name?sslmode=verify-full, with special characters of the password percent-encoded."
		return nil, f
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 || !asks(raw, "connect_timeout") {
		c.ConnectTimeout = connectPatience
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "promptd"
	}
	if !asks(raw, "pool_max_conns") {
		config.MaxConns = mostConns
	}
	if !asks(raw, "pool_max_conn_idle_time") {
		config.MaxConnIdleTime = idleFor
	}
	config.PingTimeout = pingPatience
	return config, nil
}

// asks says whether a URL or a connection string sets a parameter.
func asks(raw, name string) bool {
	if u, err := url.Parse(raw); err == nil && u.Scheme != "" {
		return u.Query().Has(name)
	}
	return strings.Contains(raw, name+"=")
}

// look connects once and finds out what is there. A pooler gives its clients numbers of its own in place of the server's process, which tells it from a server.
func look(ctx context.Context, raw string) (*target, error) {
	config, err := parse(raw)
	if err != nil {
		return nil, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, 2*connectPatience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, notThere(config.ConnConfig, explain(caller, "connect to the database", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	t := &target{config: config}
	t.server.PoolSize = int(config.MaxConns)
	var process uint32
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid(), current_setting('server_version_num')::int, current_setting('max_connections')::int,
		pg_is_in_recovery()`, pgx.QueryExecModeSimpleProtocol).Scan(&process, &t.server.Version, &t.server.MaxConnections, &t.server.Replica)
	if err != nil {
		return nil, explain(ctx, "ask the database what it is", err)
	}
	t.server.Pooled = process != conn.PgConn().PID()
	if t.server.Version < oldest {
		f := fault.New(fault.InvalidRequest, "the database is PostgreSQL %d; promptd needs 15 or newer", t.server.Version/10_000)
		f.Remediation = "Upgrade the server, or name another one with database.url."
		return nil, f
	}
	t.settle(raw)
	return t, nil
}

// settle chooses how statements are sent. A server gets prepared statements and its time limits with the connection. A pooler in transaction mode keeps neither:
// statements are sent whole, with the types of their parameters, and each transaction brings its limits.
func (t *target) settle(raw string) {
	c := t.config.ConnConfig
	if t.server.Pooled {
		if !asks(raw, "default_query_exec_mode") {
			c.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		return
	}
	for name, limit := range map[string]int{
		"statement_timeout": statementTimeout, "lock_timeout": lockTimeout, "idle_in_transaction_session_timeout": idleInTxTimeout,
	} {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = fmt.Sprint(limit)
		}
	}
}

// open makes the pool. It connects when it is used.
func (t *target) open(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, t.config)
	if err != nil {
		return nil, explain(ctx, "open the pool of connections", err)
	}
	return pool, nil
}

// settings is the statement that a transaction of statements that are run again and again begins with: their plans are made once a connection, by their indexes.
// Left to itself the server plans a statement with lists anew for each call, as long as the list at hand looks shorter than any list would, which costs more than the
// statement (measured 2026-11: a quarter of all that it did for jobs); and where the tables were empty when a plan was made, it reads them from end to end until somebody has analyzed them.
// A pooler's transactions bring their limits with them.
func (s Server) settings() string {
	list := []string{"plan_cache_mode", "force_generic_plan", "enable_seqscan", "off", "enable_hashjoin", "off", "enable_mergejoin", "off"}
	if s.Pooled {
		list = append(list, "statement_timeout", fmt.Sprint(statementTimeout), "lock_timeout", fmt.Sprint(lockTimeout), "idle_in_transaction_session_timeout", fmt.Sprint(idleInTxTimeout))
	}
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		fmt.Fprintf(&b, ", set_config('%s', '%s', true)", list[i], list[i+1])
	}
	return "SELECT " + strings.TrimPrefix(b.String(), ", ")
}

// begin is what a transaction begins with.
func (s Server) begin() pgx.TxOptions {
	if !s.Pooled {
		return pgx.TxOptions{}
	}
	return pgx.TxOptions{BeginQuery: fmt.Sprintf("BEGIN; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d",
		statementTimeout, lockTimeout, idleInTxTimeout)}
}
