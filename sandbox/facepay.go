package sandbox

import (
	"net/http"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// facePayData is what the pay page of a face shows.
type facePayData struct {
	Root, Face string
	Order      stage.Order
}

// facePayPage shows an order of a face to its payer, or what became of it.
func (s *Sandbox) facePayPage(w http.ResponseWriter, r *http.Request, f stage.Face) {
	o, err := orderOf(f, r.PathValue("id"))
	if err != nil {
		s.page(w, "message.html", http.StatusNotFound, messagePage{Title: "订单不存在 No such order", Text: r.PathValue("id")})
		return
	}
	if o.Payable {
		s.page(w, "facepay.html", http.StatusOK, facePayData{Root: s.rootPath(), Face: f.Name(), Order: o})
		return
	}
	said := messagePage{Title: "订单不可支付 Cannot be paid", Text: o.State + " · " + o.OrderNo}
	if o.WasPaid {
		said.Title, said.Text = "订单已支付 Order paid", o.Paid.String()+" · "+o.OrderNo
	}
	if o.ReturnURL != "" {
		said.Link, said.LinkText = o.ReturnURL, "返回商户 Back to the merchant"
	}
	s.page(w, "message.html", http.StatusOK, said)
}

// facePayPressed is the payer's choice on the page.
func (s *Sandbox) facePayPressed(w http.ResponseWriter, r *http.Request, f stage.Face) {
	form, err := bodyFields(r)
	if err != nil {
		unreadable(w)
		return
	}
	id := r.PathValue("id")
	back := s.rootPath() + "/" + f.Name() + "/pay/" + id
	if form["do"] != "pay" {
		s.page(w, "message.html", http.StatusOK, messagePage{
			Title: "已取消 Cancelled", Text: "没有付款 Nothing was paid", Link: back, LinkText: "返回支付 Back to the payment",
		})
		return
	}
	if _, err := s.PayAt(f.Name(), id); err != nil {
		status := http.StatusOK
		if domain.KindOf(err) == domain.KindNotFound {
			status = http.StatusNotFound
		}
		s.page(w, "message.html", status, messagePage{Title: "无法支付 Cannot be paid", Text: err.Error()})
		return
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // PayAt found the order of that number
}
