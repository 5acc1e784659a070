package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Restore puts a backup in place of what the data directory holds and gives the folder where that is kept. It is refused with
// [ErrInUse] while any process uses the store, and touches nothing before the backup has proved to be whole.
// At every moment of it both files exist, so that a start after a crash never begins with an empty store.
func Restore(ctx context.Context, folder, dir string, now time.Time) (aside string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	serving, err := lockToServe(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, serving.release()) }()
	using, err := lockToUse(dir, alone)
	if errors.Is(err, errHeld) {
		return "", fmt.Errorf("restore to %s: %w: another command works on it; let it end first", dir, ErrInUse)
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, using.release()) }()

	incoming, err := os.MkdirTemp(dir, "incoming-")
	if err != nil {
		return "", fmt.Errorf("restore to %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(incoming)) }()
	if err := bringIn(ctx, folder, incoming); err != nil {
		return "", err
	}
	aside, err = keepAside(dir, now)
	if err != nil {
		return "", err
	}
	for _, p := range parts() {
		if err := os.Rename(filepath.Join(incoming, p.name), filepath.Join(dir, p.name)); err != nil {
			return aside, fmt.Errorf("restore %s: %w", p.name, err)
		}
	}
	return aside, syncFolder(dir)
}

// bringIn copies a backup beside what is there and checks the copy: the manifest's sizes and hashes, SQLite's own check of every
// page, and that this promptd knows the tables.
func bringIn(ctx context.Context, folder, incoming string) error {
	m, err := readManifest(filepath.Join(folder, manifestFile))
	if err != nil {
		return err
	}
	for _, p := range parts() {
		path := filepath.Join(incoming, p.name)
		if err := copyFile(filepath.Join(folder, p.name), path); err != nil {
			return err
		}
		got, err := digest(path)
		if err != nil {
			return err
		}
		if want := m.file(p.name); got != want {
			return fmt.Errorf("restore %s: the backup is damaged: %s has not the size or hash that %s says", folder, p.name, manifestFile)
		}
		if err := checkCopy(ctx, path, p); err != nil {
			return fmt.Errorf("restore %s: %w", folder, err)
		}
	}
	return nil
}

func readManifest(path string) (m manifest, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("read the backup: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read the backup's %s: %w", manifestFile, err)
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("read the backup's %s: its format is %d, this promptd knows %d", manifestFile, m.Format, manifestFormat)
	}
	return m, nil
}

func (m manifest) file(name string) backupFile {
	for _, f := range m.Files {
		if f.Name == name {
			return f
		}
	}
	return backupFile{}
}

// checkCopy lets SQLite look at every page.
func checkCopy(ctx context.Context, path string, p part) (err error) {
	db, err := connect(ctx, path, 1, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return explain("check "+p.name, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the backup is damaged: %s: %s", p.name, verdict)
	}
	files, err := p.migrations()
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, _, err := versions(ctx, db, path, files)
	if err == nil && have == 0 {
		err = fmt.Errorf("%s is not a database of promptd", p.name)
	}
	return err
}

// keepAside gives what is there a second name in a folder of its own. The databases keep their first name until the restored
// ones replace them; their logs lose it, since a log must not meet another database.
func keepAside(dir string, now time.Time) (aside string, err error) {
	aside = filepath.Join(dir, "before-restore-"+now.UTC().Format("20060102T150405.000Z"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", fmt.Errorf("keep the old files: %w", err)
	}
	for _, p := range parts() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			name := p.name + suffix
			move := os.Rename
			if suffix == "" {
				move = linkOrCopy
			}
			err := move(filepath.Join(dir, name), filepath.Join(aside, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("keep the old %s: %w", name, err)
			}
		}
	}
	return aside, syncFolder(aside)
}

// linkOrCopy copies where the file system has no links.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyFile(from, to)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	_, err = out.ReadFrom(in)
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
