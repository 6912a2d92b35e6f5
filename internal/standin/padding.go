package standin

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
)

// The shape of the real package: a few hundred libraries in bin, four large
// programs in externals, and very many small modules.
const (
	libraries, librarySize = 400, 330_000
	programs, programSize  = 4, 82_000_000
	modules, moduleSize    = 8_550, 21_000
)

// padding fills the package up to the real one's shape, the same each time.
func (p *packer) padding() {
	random := rand.New(rand.NewPCG(2336, 0))
	for i := range libraries {
		p.filler(fmt.Sprintf("bin/Stand.In.Library%03d.dll", i), 0o644, librarySize, random)
	}
	for i := range programs {
		p.filler(fmt.Sprintf("externals/node%d/bin/node.real", 20+i), 0o755, programSize, random)
	}
	for i := range modules {
		p.filler(fmt.Sprintf("externals/node%d/lib/node_modules/m%03d/lib/f%d.js", 20+i/25%programs, i/25, i), 0o644,
			moduleSize/2+random.IntN(moduleSize), random)
	}
}

// filler packs one file whose text compresses to about three tenths.
func (p *packer) filler(name string, mode int64, size int, random *rand.Rand) {
	p.dir(path.Dir(name))
	p.entry(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Mode: mode, Size: int64(size)},
		io.LimitReader(&plausible{random: random}, int64(size)))
}

// plausible is endless text in which one part in four is noise and the rest repeats.
type plausible struct {
	random *rand.Rand
	left   []byte
}

var phrases = [][]byte{
	[]byte("function resolve(module, parent) { return cache[module] || load(module, parent); }\n"),
	[]byte("\x48\x89\xe5\x48\x83\xec\x20\x48\x8d\x3d\x00\x00\x00\x00\xe8\x00\x00\x00\x00\x48\x83\xc4\x20\x5d\xc3"),
	[]byte("System.Private.CoreLib, Version=8.0.0.0, Culture=neutral, PublicKeyToken=7cec85d7bea7798e\x00"),
	[]byte("module.exports = require('./lib/index.js');\n// Copyright the authors of this module.\n"),
}

// Read fills b.
func (t *plausible) Read(b []byte) (int, error) {
	for n := 0; n < len(b); {
		if len(t.left) == 0 {
			t.left = t.chunk()
		}
		took := copy(b[n:], t.left)
		t.left = t.left[took:]
		n += took
	}
	return len(b), nil
}

func (t *plausible) chunk() []byte {
	phrase := phrases[t.random.IntN(len(phrases))]
	out := append(make([]byte, 0, 128), phrase...)
	for range len(phrase)/24 + 1 {
		out = append(out, byte(t.random.Uint32()), byte(t.random.Uint32()), byte(t.random.Uint32()),
			byte(t.random.Uint32()), byte(t.random.Uint32()), byte(t.random.Uint32()))
	}
	return out
}
