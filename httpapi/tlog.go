package httpapi

import (
	"net/http"
	"strings"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/tamperlog"
)

// Where C2SP tlog-tiles serves a log.
const (
	checkpointPath = "/checkpoint"
	tilePath       = "/tile/"
)

// treeHandler serves the signed head and hash tiles of the log as C2SP
// tlog-tiles lays them out, so that witnesses, mirrors and standard tools can
// follow. Entries are never served: they hold accounts and amounts. Behind a
// key by default, since even the number of events is the merchant's business;
// open to all when the configuration says so.
func (s *Server) treeHandler() http.Handler {
	if s.cfg.TreePublic {
		return http.HandlerFunc(s.serveTree)
	}
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := allow(keyOf(r.Context()), operations.ScopeEventsRead)
		if err == nil {
			err = allowAll(keyOf(r.Context()))
		}
		if err != nil {
			s.refuse(w, r, callerOf(r.Context()), "tree", err)
			return
		}
		s.serveTree(w, r)
	}))
}

func (s *Server) serveTree(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.refuse(w, r, callerOf(r.Context()), "tree", foreignProblem(http.StatusMethodNotAllowed, "this path takes GET", nil))
		return
	}
	body, err := s.treeFile(w.Header(), r.URL.Path)
	if err != nil {
		w.Header().Del("Cache-Control")
		s.refuse(w, r, callerOf(r.Context()), "tree", err)
		return
	}
	s.metrics.requests.WithLabelValues("tree", "2xx").Inc()
	_, _ = w.Write(body) //nolint:gosec // a checkpoint of ours as plain text, or hashes
}

// treeFile is what stands at a path, with its headers.
func (s *Server) treeFile(h http.Header, path string) ([]byte, error) {
	head, err := s.treeHead()
	if err != nil {
		return nil, err
	}
	if path == checkpointPath {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		return head.Note, nil
	}
	if strings.HasPrefix(path, tilePath+"entries/") {
		return nil, domain.E(domain.KindNotFound, "entries are not served here: they hold accounts and amounts; see GET /v1/events")
	}
	t, err := tamperlog.ParseTile(strings.TrimPrefix(path, "/"))
	if err != nil {
		return nil, domain.E(domain.KindNotFound, "%w", err)
	}
	body, err := s.Tree.Tile(t, head.Size)
	if err != nil {
		return nil, err
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "max-age=604800, immutable")
	return body, nil
}

// treeHead is the newest signed head.
func (s *Server) treeHead() (tamperlog.Signed, error) {
	if s.Tree == nil {
		return tamperlog.Signed{}, domain.E(domain.KindNotFound, "this installation has no signed tree")
	}
	head, err := s.Tree.Checkpoint()
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return head, domain.E(domain.KindNotFound, "this installation has no signed tree yet: the reconciler makes it")
	}
	return head, err
}
