package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// partsName is the directory of the unpacked parts inside the installation's directory.
	partsName = "parts"
	// stampName is the file in it that says what they are. It is written before the directory is moved into place, so that it vouches for the
	// whole of it.
	stampName   = "installed.json"
	stampFormat = 1
)

// stamp is what is written down about an installation.
type stamp struct {
	Format int         `json:"format"`
	At     time.Time   `json:"installed_at"`
	Python string      `json:"python"`
	Parts  []stampPart `json:"parts"`
	Files  []stampFile `json:"files"`
}

type stampPart struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Wheel   string `json:"wheel"`
	SHA256  string `json:"sha256"`
}

// stampFile is an unpacked file. Its size and time of change tell within microseconds that it still is the file that was verified.
type stampFile struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	Changed time.Time `json:"changed"`
}

// errNotInstalled says that the parts are absent, or not those that are pinned, or not whole.
var errNotInstalled = errors.New("the local model is not installed")

// readStamp reads the stamp in a directory of parts and checks that it is for these parts and that the files are those it vouches for. Files
// that were touched are read again and compared by checksum: a copied cache directory is as good as the first.
func readStamp(dir string, parts []part) (stamp, error) {
	raw, err := os.ReadFile(filepath.Join(dir, stampName))
	if errors.Is(err, os.ErrNotExist) {
		return stamp{}, errNotInstalled
	}
	if err != nil {
		return stamp{}, fmt.Errorf("read the stamp of the local model: %w", err)
	}
	var s stamp
	if err := json.Unmarshal(raw, &s); err != nil || s.Format != stampFormat {
		return stamp{}, fmt.Errorf("%w: its stamp is not readable", errNotInstalled)
	}
	for _, p := range parts {
		if !slices.ContainsFunc(s.Parts, p.is) {
			return stamp{}, fmt.Errorf("%w: %s %s is missing", errNotInstalled, p.name, p.version)
		}
	}
	for _, f := range s.Files {
		if err := f.verify(dir); err != nil {
			return stamp{}, err
		}
	}
	return s, nil
}

// is reports whether a stamp's entry is for this part, from a wheel that is pinned.
func (p part) is(s stampPart) bool {
	w, ok := p.wheels[s.Wheel]
	return ok && s.Name == p.name && s.Version == p.version && s.SHA256 == w.sha256
}

func (f stampFile) verify(dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(f.Path))
	info, err := os.Lstat(path)
	switch {
	case err != nil || !info.Mode().IsRegular() || info.Size() != f.Size:
		return fmt.Errorf("%w: %s is missing or changed", errNotInstalled, f.Path)
	case info.ModTime().Equal(f.Changed):
		return nil
	}
	sum, _, err := sumFile(path)
	if err != nil {
		return err
	}
	if sum != f.SHA256 {
		return fmt.Errorf("%w: %s is changed", errNotInstalled, f.Path)
	}
	return nil
}

// write puts the stamp into a directory of parts, on disk before it returns.
func (s stamp) write(dir string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the stamp of the local model: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, stampName))
	if err != nil {
		return fmt.Errorf("write the stamp of the local model: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the stamp of the local model: %w", err)
	}
	return nil
}

// bytes is the size of all files.
func (s stamp) bytes() (n int64) {
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}

// sumFile gives a file's SHA-256 in hexadecimal and its size.
func sumFile(path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("read for its checksum: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, fmt.Errorf("read %s for its checksum: %w", filepath.Base(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}
