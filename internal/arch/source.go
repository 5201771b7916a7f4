package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pkg is one folder with Go files, as far as the rules care.
type pkg struct {
	dir   string // slash path below the module root, "." for the root
	files []file
}

// file is one parsed source file.
type file struct {
	name string // slash path below the module root
	test bool
	ast  *ast.File
	fset *token.FileSet
}

// imported is one import spec of a file.
type imported struct {
	path string
	name string // the name it has in the file; "" when it is the package's own
	pos  token.Pos
}

// load parses every Go file below root, whatever its build tags, and groups
// them by folder. Folders that the go tool skips are skipped.
func load(root string) ([]pkg, error) {
	byDir := map[string][]file{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, name, d.Name())
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := parse(fset, root, name)
		if err != nil {
			return err
		}
		dir := path.Dir(f.name)
		byDir[dir] = append(byDir[dir], f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var pkgs []pkg
	for dir, files := range byDir {
		pkgs = append(pkgs, pkg{dir, files})
	}
	slices.SortFunc(pkgs, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	return pkgs, nil
}

// enter says whether the walk goes into a folder. One with a go.mod of its own
// is another module, whose libraries the product does not carry.
func enter(root, name, base string) error {
	if name == root {
		return nil
	}
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func parse(fset *token.FileSet, root, name string) (file, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return file{}, err
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	rel = filepath.ToSlash(rel)
	tree, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, fmt.Errorf("read imports: %w", err)
	}
	return file{name: rel, test: strings.HasSuffix(rel, "_test.go"), ast: tree, fset: fset}, nil
}

func (f file) imports() []imported {
	var out []imported
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused such a file already
		}
		i := imported{path: p, pos: spec.Pos()}
		if spec.Name != nil {
			i.name = spec.Name.Name
		}
		out = append(out, i)
	}
	return out
}
