package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/catalog"
)

func newCatalogCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "catalog [TYPE]", Short: "Describe the types of event this software reads",
		Long: `Lists every type of event that this software reads, or describes one: its members,
what they mean, and an example as it is stored. The whole as a page is
docs/events.md.`,
		Example: `  counterfoil catalog
  counterfoil catalog payment.credited.v1
  counterfoil catalog --output markdown > events.md`,
		Args: cobra.MaximumNArgs(1),
		RunE: p.begin(func(_ context.Context, args []string) error {
			c, err := catalog.Read()
			switch {
			case err != nil:
				return err
			case len(args) == 0:
				return p.printCatalog(c)
			}
			e, ok := c.Event(args[0])
			if !ok {
				return domain.EField(domain.KindInvalid, "TYPE", "%q is no type; `counterfoil catalog` lists them", args[0])
			}
			return p.printType(c, e)
		}),
	}
	p.addOutput(cmd, "table", "markdown")
	return cmd
}

func (p *program) printCatalog(c catalog.Catalog) error {
	if p.output == "markdown" {
		return c.Markdown(p.stdout)
	}
	t := newTable("TYPE", "TELLS")
	return printRows(p, c.Events, t, func(s catalog.Shape) { t.add(s.Name, s.Brief()) })
}

// printType shows a type and the parts it is made of.
func (p *program) printType(c catalog.Catalog, e catalog.Shape) error {
	one := catalog.Catalog{Events: []catalog.Shape{e}, Parts: c.PartsOf(e)}
	switch p.output {
	case "json":
		return p.json(one)
	case "markdown":
		return one.Markdown(p.stdout)
	}
	for i, s := range append(one.Events, one.Parts...) {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		fmt.Fprintf(p.stdout, "%s: %s.\n\n", s.Name, s.Tells)
		t := newTable("MEMBER", "TYPE", "NEEDED", "MEANING")
		for _, m := range s.Members {
			needed := "yes"
			if m.Optional {
				needed = ""
			}
			t.add(m.Name, m.Type, needed, m.Says())
		}
		if err := t.print(p.stdout); err != nil {
			return err
		}
		if s.Example != "" {
			fmt.Fprintf(p.stdout, "\n%s\n", s.Example)
		}
	}
	return nil
}
