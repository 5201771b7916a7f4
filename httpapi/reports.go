package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/reports"
)

type reportInput struct {
	Period  string `query:"period" doc:"A month, YYYY-MM; or run"`
	Run     string `query:"run" doc:"Id of a complete comparison with a bill; or period"`
	Channel string `query:"channel" doc:"Only of this channel"`
	Format  string `query:"format" enum:"xlsx,csv,html,json,hledger,beancount" default:"json" doc:"Journals come as an archive (zip)"`
	Table   string `query:"table" enum:"Summary,Runs,Balances,Differences,Corrections,Fees,Exchange,Payouts,Books" doc:"With csv: this table of the report; without it every posting"`
	Lang    string `query:"lang" enum:"en,zh,both" default:"both" doc:"With html: the page's language"`
	BOM     bool   `query:"bom" doc:"With csv: begin with the mark by which Excel takes the file for UTF-8"`
	Why     string `query:"why" maxLength:"2000" doc:"What it is for, in your words: it is kept with the act"`
}

func (s *Server) registerReports(api huma.API) {
	content := map[string]*huma.MediaType{}
	for _, f := range []reports.Format{reports.FormatJSON, reports.FormatHTML, reports.FormatCSV, reports.FormatXLSX, reports.FormatHledger} {
		content[f.ContentType()] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	}
	operation(s, api, huma.Operation{
		OperationID: "download-report", Method: http.MethodGet, Path: "/v1/reports", Summary: "Download the report of a month or of a comparison",
		Description: "What agreed, what differs by kind and age, corrections with who and why, fees, exchange, payouts, and every book from its " +
			"opening to its closing balance, as a workbook, CSV, a page to print, JSON or a plain text journal. It is folded from the log " +
			"while you wait and names the place it goes up to. One report is made at a time: 429 while another one is.",
		Errors:    []int{http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests},
		Responses: map[string]*huma.Response{"200": {Description: "The report, as a file", Content: content}},
	}, operations.ScopeReconcile, s.downloadReport)
}

func (s *Server) downloadReport(ctx context.Context, in *reportInput) (*huma.StreamResponse, error) {
	q := reports.Query{
		Period: in.Period, Run: in.Run, Channel: domain.ChannelID(in.Channel), Format: reports.Format(in.Format), Table: in.Table,
		Lang: reports.Lang(in.Lang), BOM: in.BOM,
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	source, err := s.reportSource(q.Channel)
	if err != nil {
		return nil, err
	}
	scope, err := source.Scope(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := allowBooks(keyOf(ctx), scope.Channel); err != nil {
		return nil, err
	}
	if !s.reporting.TryLock() {
		return nil, domain.E(domain.KindLimited, "another report is being made")
	}
	defer s.reporting.Unlock()
	if err := s.act(ctx, domain.Act{What: domain.ActExport, Subject: "report " + q.FileName(), Why: in.Why}); err != nil {
		return nil, fmt.Errorf("record the export: %w", err)
	}
	file, err := spooled(func(w io.Writer) error { return source.Write(ctx, q, scope, w) })
	if err != nil {
		return nil, fmt.Errorf("make the report %s: %w", q.FileName(), err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", q.Format.ContentType())
		hc.SetHeader("Content-Length", strconv.FormatInt(file.size, 10))
		hc.SetHeader("Content-Disposition", `attachment; filename="`+q.FileName()+`"`)
		hc.SetHeader("X-Content-Type-Options", "nosniff")
		_, err := io.Copy(hc.BodyWriter(), file) // a client that leaves sees that bytes are missing
		_ = errors.Join(err, file.Close())
	}}, nil
}

// reportSource is where reports come from.
func (s *Server) reportSource(ch domain.ChannelID) (reports.Source, error) {
	var zones []string
	for id, c := range s.Channels {
		if ch == "" || id == ch {
			zones = append(zones, c.Config().Zone)
		}
	}
	out := reports.Source{Log: s.Log, Index: s.Rows, Bills: s.Bills, Zone: reports.BookZone(zones), Software: s.cfg.Software}
	if s.Tree == nil {
		return out, nil
	}
	head, err := s.Tree.Checkpoint()
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return out, nil // nothing was signed yet
	}
	out.Sealed, out.Root = head.Size, head.Root[:]
	return out, err
}

// file is a report that waits to be sent. It has no name any more: it is gone
// with its last reader.
type file struct {
	*os.File
	size int64
}

// spooled writes a report into a file, so that one that fails half-way is
// answered as a failure and one that is long takes no memory.
func spooled(write func(io.Writer) error) (f file, err error) {
	tmp, err := os.CreateTemp("", "counterfoil-report-")
	if err != nil {
		return f, fmt.Errorf("make a file for the report: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close())
		}
	}()
	if err := os.Remove(tmp.Name()); err != nil {
		return f, err
	}
	if err := write(tmp); err != nil {
		return f, err
	}
	size, err := tmp.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = tmp.Seek(0, io.SeekStart)
	}
	return file{tmp, size}, err
}
