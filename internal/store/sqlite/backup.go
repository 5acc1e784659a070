package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifestFile stands in a backup and says what belongs to it.
const (
	manifestFile   = "backup.json"
	manifestFormat = 1
)

// manifest makes a backup that was cut, changed or put together from two be seen before it is used.
type manifest struct {
	Format    int          `json:"format"`
	CreatedAt time.Time    `json:"created_at"`
	Files     []backupFile `json:"files"`
}

type backupFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Backup writes both files into a new folder, each as it stands at one moment, while the store goes on working. What exists is
// never overwritten, and the folder has its name only once it is whole and on disk.
func (db *DB) Backup(ctx context.Context, folder string) (err error) {
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("back up to %s: it exists already; name a new folder", folder), err)
	}
	partial := folder + ".partial"
	if err := os.Mkdir(partial, 0o700); err != nil {
		return fmt.Errorf("back up to %s: %w", folder, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	m := manifest{Format: manifestFormat, CreatedAt: db.opts.Now().UTC()}
	for _, f := range []*file{db.main, db.history.file} {
		one, err := copyOut(ctx, f.path, partial)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, one)
	}
	if err := m.write(filepath.Join(partial, manifestFile)); err != nil {
		return err
	}
	if err := os.Rename(partial, folder); err != nil {
		return fmt.Errorf("back up to %s: %w", folder, err)
	}
	return errors.Join(syncFolder(folder), syncFolder(filepath.Dir(folder)))
}

// copyOut lets SQLite write one file anew: a snapshot without the log beside it and without what was deleted.
func copyOut(ctx context.Context, path, folder string) (_ backupFile, err error) {
	source, err := connect(ctx, path, 1, 1)
	if err != nil {
		return backupFile{}, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target := filepath.Join(folder, filepath.Base(path))
	if _, err := source.ExecContext(ctx, "VACUUM INTO $1", target); err != nil {
		return backupFile{}, explain("back up "+path, err)
	}
	if err := os.Chmod(target, 0o600); err != nil {
		return backupFile{}, fmt.Errorf("back up %s: %w", path, err)
	}
	return digest(target)
}

// digest hashes a file and brings it to the disk.
func digest(path string) (_ backupFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return backupFile{}, fmt.Errorf("read %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return backupFile{}, fmt.Errorf("read %s: %w", path, err)
	}
	return backupFile{Name: filepath.Base(path), Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func (m manifest) write(path string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// syncFolder brings a folder's names to the disk. Systems that can't do that for folders do it by themselves.
func syncFolder(folder string) (err error) {
	f, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("open %s: %w", folder, err)
	}
	_ = f.Sync()
	return f.Close()
}
