package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// pollEvery is the pause between looks at the server.
	pollEvery = 50 * time.Millisecond
	// startsWithin bounds the start of the server with its model, on a slow machine.
	startsWithin = 3 * time.Minute
	// drainsWithin is a little more than promptd gives requests in flight when it is asked to stop.
	drainsWithin = 35 * time.Second
)

// server is the promptd serve that this program started.
type server struct {
	cmd   *exec.Cmd
	log   string
	began time.Time
	// ended is closed when the process has gone; err is how, and may be read then.
	ended chan struct{}
	err   error
}

// start starts promptd serve with its log in a file.
func (m *minute) start() (*server, error) {
	args := []string{"serve"}
	if len(m.providers) == 0 {
		args = append(args, "--local")
	}
	s := &server{log: filepath.Join(m.data, "first-minute.log"), ended: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close() // The child has its own copy.
	fmt.Fprintf(m.out, "$ promptd %s > %s\n", strings.Join(args, " "), s.log)
	s.cmd = exec.Command(m.promptd, args...) // Not bound to a context: stop lets it finish its requests.
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = m.environ, log, log
	s.cmd.SysProcAttr = apart() // Ctrl-C comes to this program alone, which then asks promptd once.
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run promptd: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

// wait waits until the server is ready, its model included.
func (m *minute) wait(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	listening := time.Duration(0)
	for {
		if listening == 0 {
			if status, err := m.get(ctx, "/v1/health/live", ""); err == nil && status == http.StatusOK {
				listening = time.Since(s.began)
			}
		}
		if status, err := m.get(ctx, "/v1/health/ready", ""); err == nil && status == http.StatusOK {
			fmt.Fprintf(m.out, "It listens after %s and is ready after %s.\n", short(listening), short(time.Since(s.began)))
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("promptd is not ready after %s", startsWithin)
		case <-time.After(pollEvery):
		}
	}
}

// stop asks the server to finish and waits for it. A second signal makes it end at once.
func (s *server) stop(quit <-chan os.Signal) error {
	select {
	case <-s.ended:
		return nil // explain has said so.
	default:
	}
	if err := s.cmd.Process.Signal(terminate()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop promptd: %w", err)
	}
	timer := time.NewTimer(drainsWithin)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-quit:
		_ = s.cmd.Process.Kill() // Where it has ended meanwhile, all is well.
		<-s.ended
		return nil
	case <-timer.C:
		_ = s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("promptd did not stop within %s and was killed", drainsWithin)
	}
	if s.err != nil {
		return fmt.Errorf("promptd did not end cleanly: %w", s.err)
	}
	return nil
}

// get asks for a page and gives the status alone.
func (m *minute) get(ctx context.Context, path, key string) (int, error) {
	resp, err := m.send(ctx, http.MethodGet, path, key, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, answerMax)); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return resp.StatusCode, nil
}

// answerMax bounds what is read of an answer.
const answerMax = 16 << 20

func (m *minute) send(ctx context.Context, method, path, key string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.url(path), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // No proxy: this is about this machine.
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call promptd: %w", err)
	}
	return resp, nil
}

// createKey makes a key beside the running server, in its store.
func (m *minute) createKey(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, m.promptd, "keys", "create", "--name", "first-minute", "--output", "json")
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = m.environ, &out, m.errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("promptd keys create: %w", err)
	}
	var made struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || made.Key == "" {
		return "", errors.New("promptd keys create gave no key")
	}
	return made.Key, nil
}

// lastLines gives the end of a file.
func lastLines(path string, n int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.SplitAfter(strings.TrimRight(string(raw), "\n")+"\n", "\n")
	lines = lines[:len(lines)-1]
	if len(lines) == 1 && lines[0] == "\n" {
		return ""
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// short writes a duration for people.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
