package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/store/sqlite"
)

func backupCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	cmd := &cobra.Command{
		Use: "backup DIR", Short: "Write a backup of the embedded store into a new folder", Args: cobra.ExactArgs(1),
		Long: "Write a backup of the embedded store (keys, history, sums) into a new folder, also while a server works on it.\n" +
			"The folder has its name only once the backup is whole and on disk; what exists is never overwritten.",
		Example: examples("promptd backup /backups/$(date +%F)", "promptd backup ./before-upgrade --data-dir /var/lib/promptd"),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := filepath.Clean(args[0])
			dir, err := s.existing()
			if err != nil {
				return err
			}
			if err := withEmbedded(cmd.Context(), dir, func(db *sqlite.DB) error { return db.Backup(cmd.Context(), folder) }); err != nil {
				return err
			}
			size := folderSize(folder)
			if out.json() {
				return out.value(map[string]any{"folder": folder, "bytes": size})
			}
			return out.line("Backup of %s in %s, %s. promptd restore %s brings it back.", dir, folder, bytesText(size), folder)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func restoreCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	cmd := &cobra.Command{
		Use: "restore DIR", Short: "Put a backup in place of the embedded store", Args: cobra.ExactArgs(1),
		Long: "Put a backup in place of the embedded store. No process may use the store; the backup is checked before anything is touched,\n" +
			"and what was there is kept in a folder beside it.",
		Example: examples("promptd restore /backups/2026-11-25", "promptd restore ./before-upgrade --data-dir /var/lib/promptd --output json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := s.dataDir()
			if err != nil {
				return err
			}
			aside, err := sqlite.Restore(cmd.Context(), args[0], dir, time.Now())
			if err != nil {
				return inUse(err)
			}
			if os.Remove(aside) == nil {
				aside = "" // It was empty: nothing was there before.
			}
			if out.json() {
				return out.value(map[string]any{"data_dir": dir, "kept_in": aside})
			}
			if aside == "" {
				return out.line("%s is restored from %s.", dir, args[0])
			}
			return out.line("%s is restored from %s. What was there before is kept in %s.", dir, args[0], aside)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

// existing gives the data directory where there is a store in it: whoever mistyped it shall not get a backup of an empty one.
func (s *settings) existing() (string, error) {
	dir, err := s.dataDir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, storeFile)); err != nil {
		return "", fmt.Errorf("there is no store in %s; --data-dir or --config names another directory", dir)
	}
	return dir, nil
}

// storeFile is the file of the embedded store by which a data directory is recognised.
const storeFile = "promptd.db"

func folderSize(dir string) (size int64) {
	entries, _ := os.ReadDir(dir) //nolint:errcheck // The size is for people; what can't be read counts nothing.
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	return size
}
