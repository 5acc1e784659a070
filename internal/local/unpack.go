package local

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unpackedMax bounds what one wheel may unpack to; the larger of the two holds 106 MB.
const unpackedMax = 1 << 30

// verifyWheel checks a wheel's name and checksum against the pins.
func (p part) verifyWheel(path string) (stampPart, error) {
	name := filepath.Base(path)
	want, ok := p.wheels[name]
	if !ok {
		return stampPart{}, unavailable("Use a platform that the engine has wheels for (Linux, macOS, Windows on 64 bits), or configure a provider.",
			"the package index gave %s, which is not a pinned wheel of %s %s", name, p.name, p.version)
	}
	got, size, err := sumFile(path)
	if err != nil {
		return stampPart{}, err
	}
	if got != want.sha256 {
		return stampPart{}, unavailable("Try again; if it stays, the package index or a proxy on the way serves another file under this name.",
			"%s has the wrong checksum (%d bytes, SHA-256 %s…, pinned %s…) and was thrown away", name, size, got[:12], want.sha256[:12])
	}
	return stampPart{Name: p.name, Version: p.version, Wheel: name, SHA256: got}, nil
}

// unpack writes the files of a verified wheel below a directory. Wheels are zip files whose root is what goes on Python's path; these two need
// nothing else of an installer.
func (p part) unpack(path, dir string) ([]stampFile, error) {
	r, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("open wheel %s: %w", filepath.Base(path), err)
	}
	defer r.Close()
	var files []stampFile
	room := int64(unpackedMax)
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		got, err := unpackFile(f, dir, room)
		if err != nil {
			return nil, fmt.Errorf("unpack %s of %s: %w", f.Name, p.name, err)
		}
		room -= got.Size
		files = append(files, got)
	}
	for name, want := range p.files {
		if err := wantFile(files, name, want); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func wantFile(files []stampFile, name string, want digest) error {
	for _, f := range files {
		if f.Path != name {
			continue
		}
		if f.SHA256 != want.sha256 || f.Size != want.size {
			return unavailable("Remove it with promptd local remove and install again.", "%s has the wrong checksum (SHA-256 %s…, pinned %s…)", name, f.SHA256[:12], want.sha256[:12])
		}
		return nil
	}
	return unavailable(wayOut, "the wheel does not hold %s", name)
}

func unpackFile(f *zip.File, dir string, room int64) (stampFile, error) {
	local := filepath.FromSlash(f.Name)
	if !filepath.IsLocal(local) || !f.Mode().IsRegular() {
		return stampFile{}, errors.New("it is not a plain file inside the wheel")
	}
	path := filepath.Join(dir, local)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return stampFile{}, fmt.Errorf("make its directory: %w", err)
	}
	in, err := f.Open()
	if err != nil {
		return stampFile{}, fmt.Errorf("open: %w", err)
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return stampFile{}, fmt.Errorf("create: %w", err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(in, room+1))
	if n > room {
		err = errors.New("the wheel is larger than any that is expected")
	}
	// Sync: the stamp, written next, must not outlast the data through a power cut.
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return stampFile{}, fmt.Errorf("write: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return stampFile{}, fmt.Errorf("look at what was written: %w", err)
	}
	return stampFile{Path: f.Name, Size: n, SHA256: hex.EncodeToString(h.Sum(nil)), Changed: info.ModTime()}, nil
}
