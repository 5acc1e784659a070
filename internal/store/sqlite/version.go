package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Version is the version of the tables of one file of the store, and the newest that this promptd knows.
type Version struct {
	File         string
	Have, Newest int64
}

// Versions reads the versions without changing anything; a file that is not there has 0. Tables newer than this promptd knows are an error.
func Versions(ctx context.Context, dir string) ([]Version, error) {
	var list []Version
	for _, p := range parts() {
		v, err := versionOf(ctx, filepath.Join(dir, p.name), p)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func versionOf(ctx context.Context, path string, p part) (v Version, err error) {
	v.File = p.name
	files, err := p.migrations()
	if err != nil {
		return v, fmt.Errorf("read migrations: %w", err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		v.Newest, err = newestVersion(files)
		return v, err
	}
	db, err := connect(ctx, path, 1, 1, "query_only(1)")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v.Have, v.Newest, err = versions(ctx, db, path, files)
	return v, err
}
