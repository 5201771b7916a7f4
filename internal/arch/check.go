package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Check reads the module at root and returns what breaks the rules, one line
// each with its file and line, sorted. An error means that the source could
// not be read or parsed.
func Check(root string, r Rules) ([]string, error) {
	pkgs, err := load(root)
	if err != nil {
		return nil, err
	}
	c := checker{rules: r}
	for _, p := range pkgs {
		c.pkg(p)
	}
	slices.Sort(c.found)
	return c.found, nil
}

type checker struct {
	rules Rules
	found []string
}

func (c *checker) report(f file, pos token.Pos, format string, args ...any) {
	at := f.fset.Position(pos)
	c.found = append(c.found, fmt.Sprintf("%s:%d: %s", f.name, at.Line, fmt.Sprintf(format, args...)))
}

func (c *checker) pkg(p pkg) {
	row, ok := c.row(p.dir)
	if !ok {
		c.found = append(c.found, fmt.Sprintf("%s: no row in internal/arch/table.go: what may this package import?", p.dir))
		return
	}
	c.comment(p)
	for _, f := range p.files {
		for _, i := range f.imports() {
			c.imported(p, row, f, i)
		}
		if !f.test {
			c.doors(p, f)
		}
	}
}

func (c *checker) row(dir string) (Row, bool) {
	i := slices.IndexFunc(c.rules.Rows, func(r Row) bool { return matches(r.Package, dir) })
	if i < 0 {
		return Row{}, false
	}
	return c.rules.Rows[i], true
}

// comment wants one comment that says what the package is. A folder with
// nothing but tests has no package to speak of.
func (c *checker) comment(p pkg) {
	var first *file
	for _, f := range p.files {
		if f.test {
			continue
		}
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		if strings.HasPrefix(f.ast.Doc.Text(), want) {
			return
		}
		if first == nil {
			first = &f
		}
	}
	if first != nil {
		c.report(*first, first.ast.Name.Pos(), "package %s has no package comment", first.ast.Name.Name)
	}
}

func (c *checker) imported(p pkg, row Row, f file, i imported) {
	own, ours := strings.CutPrefix(i.path, c.rules.Module+"/")
	switch {
	case i.path == "C":
		c.report(f, i.pos, "cgo: shipped binaries are built without it")
	case i.name == ".":
		c.report(f, i.pos, "dot import of %s hides where a name comes from", i.path)
	case ours:
		c.ours(p, row, f, own, i)
	default:
		c.foreign(p, row, f, i)
	}
}

func (c *checker) ours(p pkg, row Row, f file, own string, i imported) {
	switch {
	case own == p.dir && f.test: // the external test package
	case matchesAny(row.May, own):
	case !row.Pure && matchesAny(c.rules.Common, own):
	case !row.Pure && f.test && matchesAny(c.rules.Tests, own):
	default:
		c.report(f, i.pos, "%s may not import %s", p.dir, own)
	}
}

func (c *checker) foreign(p pkg, row Row, f file, i imported) {
	if row.Pure && !f.test && matchesAny(c.rules.Impure, i.path) {
		c.report(f, i.pos, "%s is pure and may not import %s", p.dir, i.path)
		return
	}
	for _, l := range c.rules.Libraries {
		if !below(l.Path, i.path) {
			continue
		}
		if !matchesAny(l.Owners, p.dir) && !(f.test && l.InTests) {
			c.report(f, i.pos, "%s may not import %s: it belongs to %s", p.dir, i.path, strings.Join(l.Owners, ", "))
		}
		return
	}
	if strings.Contains(strings.Split(i.path, "/")[0], ".") {
		c.report(f, i.pos, "no line in internal/arch/table.go for the library %s: who may import it?", i.path)
	}
}

// doors finds the names of doors where they may not stand, whatever name the
// file gives to the package.
func (c *checker) doors(p pkg, f file) {
	for _, d := range c.rules.Doors {
		if matchesAny(d.Open, p.dir) {
			continue
		}
		names := c.namesOf(f, d.Package)
		if len(names) == 0 {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != d.Name {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(names, x.Name) {
				c.report(f, s.Pos(), "%s may not name %s.%s: only %s may append", p.dir, d.Package, d.Name, strings.Join(d.Open, ", "))
			}
			return true
		})
	}
}

// namesOf are the names under which a file knows one of our packages.
func (c *checker) namesOf(f file, own string) []string {
	var names []string
	for _, i := range f.imports() {
		if i.path != c.rules.Module+"/"+own {
			continue
		}
		if i.name == "" {
			i.name = path.Base(own)
		}
		names = append(names, i.name)
	}
	return names
}

func matchesAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, dir) })
}

// matches reports whether dir is what the pattern names: itself, or with
// "/..." itself and all below.
func matches(pattern, dir string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return below(root, dir)
	}
	return pattern == dir
}

func below(root, dir string) bool {
	return dir == root || strings.HasPrefix(dir, root+"/")
}
