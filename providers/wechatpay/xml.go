package wechatpay

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
)

// Limits of a flat XML message. Genuine ones have at most some 60 elements.
const (
	maxXMLFields = 128
	maxXMLName   = 64
)

// ScanXML reads a flat XML message: one root, in it elements with text or one
// CDATA section, and nothing else. encoding/xml would let a DOCTYPE pass, take
// the last of two equal elements, ignore name spaces and what follows the root,
// and join the text around a comment; in the official SDK of another language a
// DOCTYPE once read the merchant's files (CVE-2018-13439). KindInvalid for
// anything but that plain form.
func ScanXML(data []byte, root string) (Fields, error) {
	if !utf8.Valid(data) {
		return nil, domain.E(domain.KindInvalid, "XML is not UTF-8")
	}
	s := xmlScanner{rest: string(bytes.Trim(data, " \t\r\n"))}
	if !s.skip("<" + root + ">") {
		return nil, domain.E(domain.KindInvalid, "XML does not begin with <%s>", root)
	}
	fields := make(Fields, 0, 24)
	for s.blanks(); !s.skip("</" + root + ">"); s.blanks() {
		f, err := s.element()
		if err != nil {
			return nil, err
		}
		if len(fields) == maxXMLFields {
			return nil, domain.E(domain.KindInvalid, "XML has more than %d elements", maxXMLFields)
		}
		if fields.twin(f.Name) {
			return nil, domain.E(domain.KindInvalid, "XML has an element twice")
		}
		fields = append(fields, f)
	}
	if s.rest != "" {
		return nil, domain.E(domain.KindInvalid, "XML has something behind its root")
	}
	return fields, nil
}

// twin reports whether the name is there already, be it in another case.
func (f Fields) twin(name string) bool {
	for i := range f {
		if strings.EqualFold(f[i].Name, name) {
			return true
		}
	}
	return false
}

// xmlScanner is a place in a message.
type xmlScanner struct{ rest string }

func (s *xmlScanner) skip(text string) bool {
	rest, ok := strings.CutPrefix(s.rest, text)
	if ok {
		s.rest = rest
	}
	return ok
}

func (s *xmlScanner) blanks() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// element reads <name>value</name>, or <name/>, which has no value.
func (s *xmlScanner) element() (Field, error) {
	name, ok := s.name()
	if !ok {
		return Field{}, domain.E(domain.KindInvalid, "XML has something else than plain elements")
	}
	if s.skip("/>") {
		return Field{Name: name}, nil
	}
	if !s.skip(">") {
		return Field{}, domain.E(domain.KindInvalid, "XML has an attribute or a name space")
	}
	value, err := s.value()
	if err != nil {
		return Field{}, err
	}
	if !s.skip("</" + name + ">") {
		return Field{}, domain.E(domain.KindInvalid, "XML has an element with more than text in it, or without an end")
	}
	return Field{name, value}, nil
}

func (s *xmlScanner) name() (string, bool) {
	if !s.skip("<") {
		return "", false
	}
	end := 0
	for end < len(s.rest) && nameByte(s.rest[end], end) {
		end++
	}
	name := s.rest[:end]
	s.rest = s.rest[end:]
	return name, end > 0 && end <= maxXMLName
}

// nameByte is the grammar [A-Za-z_][A-Za-z0-9_]*.
func nameByte(b byte, at int) bool {
	return b == '_' || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (at > 0 && b >= '0' && b <= '9')
}

// value reads one CDATA section, or text up to the next tag.
func (s *xmlScanner) value() (string, error) {
	if s.skip("<![CDATA[") {
		value, rest, ok := strings.Cut(s.rest, "]]>")
		if !ok || !plainText(value) {
			return "", domain.E(domain.KindInvalid, "XML has a CDATA section without an end or with control characters")
		}
		s.rest = rest
		return value, nil
	}
	end := strings.IndexByte(s.rest, '<')
	if end < 0 {
		return "", domain.E(domain.KindInvalid, "XML ends within an element")
	}
	raw := s.rest[:end]
	s.rest = s.rest[end:]
	value, ok := unescapeXML(raw)
	if !ok || !plainText(value) || strings.Contains(raw, "]]>") {
		return "", domain.E(domain.KindInvalid, "XML has an entity or a character that no message has")
	}
	return value, nil
}

// plainText refuses control characters other than those of white space.
func plainText(text string) bool {
	for i := range len(text) {
		if b := text[i]; b == 0x7f || (b < 0x20 && b != '\t' && b != '\n' && b != '\r') {
			return false
		}
	}
	return true
}

// unescapeXML knows the five entities of XML itself and no other.
func unescapeXML(text string) (string, bool) {
	if !strings.Contains(text, "&") {
		return text, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "&")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, ended := strings.Cut(rest, ";")
		char, known := xmlEntities[name]
		if !ended || !known {
			return "", false
		}
		b.WriteByte(char)
		text = after
	}
}

var xmlEntities = map[string]byte{"lt": '<', "gt": '>', "amp": '&', "apos": '\'', "quot": '"'}

// AppendXML writes a flat XML message as WeChat does: every value in a CDATA
// section, no line breaks. A value with the end of such a section in it is
// written with entities.
func AppendXML(b []byte, root string, f Fields) []byte {
	b = append(append(append(b, '<'), root...), '>')
	for i := range f {
		b = append(append(append(b, '<'), f[i].Name...), '>')
		if strings.Contains(f[i].Value, "]]>") {
			b = append(b, xmlEscaper.Replace(f[i].Value)...)
		} else {
			b = append(append(append(b, "<![CDATA["...), f[i].Value...), "]]>"...)
		}
		b = append(append(append(b, "</"...), f[i].Name...), '>')
	}
	return append(append(append(b, "</"...), root...), '>')
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
