package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// serverCommands are the scripts' commands around a running server.
//
//	provider [spoiled|refusing|asking]
//	                             a scripted provider; $PROVIDER is its address; spoiled: no answer satisfies its schema; refusing: it wants another key;
//	                             asking: it asks for the date of a booking until it hears of December
//	server [ARGUMENT …]          promptd serve on a free port until the script ends; $PROMPTD_SERVER is its address
//	stop                         SIGTERM to it; it must end with 0
//	usekey                       takes $PROMPTD_API_KEY and $KEY_ID out of the last command's JSON
//	useid NAME                   takes $NAME out of the id or job_id of the last command's JSON
func serverCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"provider": scriptProvider, "server": scriptServer, "stop": scriptStop, "usekey": scriptUseKey, "useid": scriptUseID,
	}
}

func scriptProvider(ts *testscript.TestScript, _ bool, args []string) {
	s := providertest.Settings{Seed: 1, TokenLatency: time.Millisecond}
	switch strings.Join(args, " ") {
	case "":
	case "spoiled":
		s.Shares.Invalid = 1
	case "refusing":
		s.Key = "another"
	case "asking":
		s.Answer = asksForTheDate
	default:
		ts.Fatalf("usage: provider [spoiled|refusing|asking]")
	}
	service, err := providertest.Listen("127.0.0.1:0", s)
	ts.Check(err)
	ts.Defer(service.Close)
	ts.Setenv("PROVIDER", service.URL())
}

func asksForTheDate(r providertest.Request) (string, bool) {
	if strings.Contains(string(r.Body), "December") {
		return `{"missing": [], "answer": {"name": "Ann", "date": "2026-12-01"}}`, true
	}
	return `{"missing": [{"pointer": "/date", "question": "For which day?"}]}`, true
}

// scriptProcess is a promptd serve of a script.
type scriptProcess struct {
	cmd  *exec.Cmd
	done chan error
}

func (r *scriptProcess) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-r.done
}

// started finds a script's server by its work directory, for stop.
var started sync.Map

func scriptServer(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("promptd", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...) //nolint:gosec // A test's own program.
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PROVIDER"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd.Stdout = log
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	r := &scriptProcess{cmd: cmd, done: make(chan error, 1)}
	lines := bufio.NewScanner(said)
	address := ""
	for address == "" && lines.Scan() {
		ts.Logf("serve: %s", lines.Text())
		if text, ok := strings.CutPrefix(lines.Text(), "promptd serves "); ok {
			address, _, _ = strings.Cut(text, ",")
		}
	}
	go func() {
		_, _ = io.Copy(log, said)
		err := cmd.Wait()
		_ = log.Close()
		r.done <- err
	}()
	if address == "" {
		ts.Fatalf("promptd serve did not start: %v", <-r.done)
	}
	ts.Setenv("PROMPTD_SERVER", address)
	ts.Setenv("SERVER_PID", strconv.Itoa(cmd.Process.Pid))
	ts.Defer(func() {
		_ = cmd.Process.Kill() // Ends what stop has not.
		<-r.done
	})
	started.Store(ts.Getenv("WORK"), r)
}

func scriptStop(ts *testscript.TestScript, _ bool, _ []string) {
	v, ok := started.LoadAndDelete(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("no server runs")
	}
	r := v.(*scriptProcess)
	if err := r.stop(); err != nil {
		ts.Fatalf("promptd serve ended with %v", err)
	}
	r.done <- nil // For the cleanup, which waits too.
}

func scriptUseKey(ts *testscript.TestScript, _ bool, _ []string) {
	var made struct{ ID, Key string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &made))
	if made.ID == "" || !strings.HasPrefix(made.Key, "pd_live_") {
		ts.Fatalf("no key in %+v", made)
	}
	ts.Setenv("PROMPTD_API_KEY", made.Key)
	ts.Setenv("KEY_ID", made.ID)
}

func scriptUseID(ts *testscript.TestScript, _ bool, args []string) {
	var made struct {
		ID  string
		Job string `json:"job_id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &made))
	id := cmp.Or(made.ID, made.Job)
	if len(args) != 1 || id == "" {
		ts.Fatalf("usage: useid NAME, after a command that shows an id")
	}
	ts.Setenv(args[0], id)
}
