package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pemistahl/lingua-go/serialization"
	"google.golang.org/protobuf/proto"
)

// modelFiles names lingua's files by n-gram length: element 0 holds single letters.
func modelFiles() []string {
	return []string{"unigrams", "bigrams", "trigrams", "quadrigrams", "fivegrams"}
}

// moduleDir finds where the module cache keeps lingua, whose models are embedded files of its root package.
func moduleDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pemistahl/lingua-go").Output()
	if err != nil {
		return "", fmt.Errorf("find the lingua module (run in tools/languagetable, with the module downloaded): %w", err)
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return "", errors.New("the lingua module is not in the module cache: go mod download")
	}
	return filepath.Join(strings.TrimSpace(string(out)), "language-models"), nil
}

// readModel gives lingua's conditional probabilities of one n-gram length: of the last letter, given those before it.
// A language without a model of that length gives nil.
func readModel(dir, language, file string) (map[string]float64, error) {
	name := filepath.Join(dir, language, file+".pb.bin.zip")
	archive, err := zip.OpenReader(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	defer archive.Close()
	if len(archive.File) != 1 {
		return nil, fmt.Errorf("model %s holds %d files, want one", name, len(archive.File))
	}
	entry, err := archive.File[0].Open()
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	defer entry.Close()
	raw, err := io.ReadAll(entry)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	var model serialization.SerializableLanguageModel
	if err := proto.Unmarshal(raw, &model); err != nil {
		return nil, fmt.Errorf("decode model %s: %w", name, err)
	}
	probabilities := make(map[string]float64, model.TotalNgrams)
	for _, set := range model.NgramSets {
		for _, gram := range set.Ngrams {
			probabilities[gram] = set.Probability
		}
	}
	return probabilities, nil
}
