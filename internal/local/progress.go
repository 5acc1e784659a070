package local

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Stage says what an installation is doing.
type Stage string

// The stages, in their order.
const (
	Waiting     Stage = "waiting" // for another install to end
	Downloading Stage = "downloading"
	Unpacking   Stage = "unpacking"
	Checking    Stage = "checking"
	Done        Stage = "done"
)

// Event is a step of an installation. Done and Total count the bytes of the whole download; in the last event, Done, they are the size on disk.
type Event struct {
	Stage Stage
	// Part is "engine" or "model"; empty where the event is about both.
	Part string
	// Reused is true for what was there already.
	Reused bool
	// Done and Total are bytes; a Total of 0 is not known.
	Done, Total int64
}

// meter adds up what is downloaded.
type meter struct {
	tell func(Event)
	// done counts finished wheels; total is 0 where one of the sizes is not known.
	done, total int64
}

func newMeter(parts []part, tell func(Event)) *meter {
	m := &meter{tell: tell}
	for _, p := range parts {
		size := p.downloadSize(runtime.GOOS, runtime.GOARCH)
		if size == 0 {
			m.total = 0
			break
		}
		m.total += size
	}
	return m
}

// finish counts a wheel as there.
func (m *meter) finish(p part, size int64) {
	m.done += size
	m.tell(Event{Stage: Downloading, Part: p.title, Done: m.done, Total: m.total})
}

// watch tells how a download grows until the function that it gives is called, which waits for the last word.
func (m *meter) watch(dir string, p part, every time.Duration) func() {
	m.tell(Event{Stage: Downloading, Part: p.title, Done: m.done, Total: m.total})
	quit := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				m.tell(Event{Stage: Downloading, Part: p.title, Done: m.done + grown(dir, p.downloadSize(runtime.GOOS, runtime.GOARCH)), Total: m.total})
			}
		}
	})
	return func() { close(quit); ended.Wait() }
}

// grown is the size of the wheel that pip is writing. pip writes it to its temporary directory first and copies it then: of the two copies the
// larger counts, and never more than the whole.
func grown(dir string, most int64) (size int64) {
	// Files come and go while we look; what cannot be read counts nothing.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(d.Name(), ".whl") {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	if most > 0 {
		size = min(size, most)
	}
	return size
}

// sizeOf adds up the files below a directory; what cannot be read counts nothing.
func sizeOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}
