use proptest::prelude::*;

use super::*;
use crate::xml::Writer;

fn fault(text: &str) -> String {
    let message = parse(text).unwrap_err().message;
    message.strip_prefix("XML error: ").map(str::to_owned).unwrap_or(message)
}

#[test]
fn text_is_resolved_and_joined() {
    let text = "<a x='1&#10;\n2&lt;'>a&lt;&#x20AC;<![CDATA[<&>]]>b<!-- c -->\r\nd</a>";
    let root = parse(text).unwrap();
    assert_eq!(root.attr("x"), Some("1\n 2<"));
    let expected = [
        Node::Text("a<€<&>b".to_owned()),
        Node::Comment(" c ".to_owned()),
        Node::Text("\nd".to_owned()),
    ];
    assert_eq!(root.children, expected);
}

fn outline(element: &Element) -> String {
    let children = element.children.iter().map(|node| match node {
        Node::Element(child) => outline(child),
        Node::Text(text) => format!("'{text}'"),
        Node::Comment(_) => "!".to_owned(),
    });
    format!("{}({})", element.name, children.collect::<String>())
}

#[test]
fn layout_is_no_text() {
    for (text, expected) in [
        ("<a> <b/> <!-- --> </a>", "a(b()!)"),
        ("<a> </a>", "a(' ')"),
        ("<a> &amp;<b/> </a>", "a(' &'b()' ')"),
        ("<a> <b> </b>x <c> <d/></c> </a>", "a(b(' ')'x 'c(d())' ')"),
        ("<a xml:space='preserve'> <b> <c/></b></a>", "a(' 'b(' 'c()))"),
        ("<a> <b xml:space='preserve'> <c/></b> </a>", "a(b(' 'c()))"),
    ] {
        assert_eq!(outline(&parse(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_surrounds_the_root_is_passed_over() {
    let text =
        "\u{FEFF}<?xml version='1.0' encoding='utf-8'?>\n<!-- a -->\n<?pi b?>\n<a/>\n<!-- -->\n";
    let root = parse_bytes(text.as_bytes()).unwrap();
    assert_eq!((root.name.as_str(), root.line), ("a", 4));
}

#[test]
fn every_element_knows_its_line() {
    let root = parse("<a\n  b='\n'>\n<c/> text\n\n<d>\n</d></a>").unwrap();
    let lines: Vec<_> = root.elements().map(|element| element.line).collect();
    assert_eq!((root.line, lines), (1, vec![4, 6]));
}

#[test]
fn faults_are_named_with_line_and_element() {
    let cases = [
        ("", "line 1: the document has no root element"),
        ("\n\nhello", "line 3: text before the root element"),
        ("&lt;<a/>", "line 1: text before the root element"),
        ("<![CDATA[]]><a/>", "line 1: a CDATA section before the root element"),
        ("<a/>\nx", "line 2: text after the end of the root element"),
        (
            "<a/>\n<b/>",
            "line 2: <b> after the end of the document: only one root element is allowed",
        ),
        (
            "<a>\n<b>\n\n</c></a>",
            "line 4: expected </b> for the element opened in line 2, found </c>",
        ),
        ("<a/>\n</b>", "line 2: </b> ends an element that was not opened"),
        ("<a>\n<b>\n", "line 3: the document ends before </b> for the element opened in line 2"),
        ("<a>\n<b x='1' y='' x='2'/></a>", "line 2: <b> has the attribute 'x' twice"),
        ("<a>\n<b x=1/></a>", "line 2: <b> has an attribute that is not written as name='value'"),
        ("<a b='x<y'/>", "line 1: attribute b of <a>: '<' must be written as &lt;"),
        ("<a 1b='x'/>", "line 1: '1b' is not a name of an attribute of <a>"),
        ("<a>\n<1b/></a>", "line 2: '1b' is not a name of an element"),
        ("<a>b\n & c</a>", "line 2: '&' must be written as &amp;"),
        ("<a>\n\u{1}</a>", "line 2: the character U+0001 is not allowed in XML"),
        ("<a>&#0;</a>", &format!("line 1: <a>: {BAD_REFERENCE}")),
        ("<a>\n&#x1F;</a>", "line 2: <a>: U+001F is not allowed in XML"),
        ("<a>\n<b c='&#xFFFF;'/></a>", "line 2: attribute c of <b>: U+FFFF is not allowed in XML"),
        ("<a>&copy;</a>", &format!("line 1: <a>: {BAD_REFERENCE}")),
        ("<a b='&copy;'/>", &format!("line 1: attribute b of <a>: {BAD_REFERENCE}")),
        ("<a b='x & y'/>", &format!("line 1: attribute b of <a>: {BAD_REFERENCE}")),
        (
            "\n<?xml version='1.0'?><a/>",
            "line 2: <?xml ...?> is allowed only at the start of the document",
        ),
        (
            "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
            "line 1: the encoding 'ISO-8859-1' is not accepted: write the document in UTF-8",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), expected, "{text:?}");
    }
}

#[test]
fn broken_markup_is_an_error_with_a_line() {
    for text in
        ["<", "<a", "<a>\n<!-- ", "<a><![CDATA[", "<a b='", "<!", "<?", "<a><!-- -- --></a>"]
    {
        assert!(fault(text).starts_with("line "), "{text:?}");
    }
}

#[test]
fn invalid_utf8_is_named_by_its_offset() {
    let error = parse_bytes(b"<a>\n\xff</a>").unwrap_err();
    let expected = "XML error: line 2: the document is not UTF-8: invalid byte at offset 4";
    assert_eq!(error.message, expected);
}

#[test]
fn a_long_document_is_refused_unread() {
    let bytes = vec![0xff; 100 << 20];
    let expected = "XML error: line 1: the document has 104857600 bytes, \
                    more than the limit of 4194304 bytes";
    assert_eq!(parse_bytes(&bytes).unwrap_err().message, expected);
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    let expected = "line 1: <a> is nested deeper than the limit of 64 elements";
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), expected);
    assert_eq!(fault(&nested(100_000)), expected);
}

#[test]
fn attributes_are_limited() {
    let with = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}='x'")).collect();
        format!("<b>\n<a{attributes}/></b>")
    };
    assert!(parse(&with(MAX_ATTRIBUTES)).is_ok());
    assert_eq!(fault(&with(300)), "line 2: <a> has more than the limit of 256 attributes");
}

#[test]
fn elements_and_comments_are_limited() {
    let with = |piece: &str, count: usize| format!("<a>{}</a>", piece.repeat(count));
    assert!(parse(&with("<b/>", MAX_ELEMENTS - 1)).is_ok());
    let expected = "line 1: the document has more than the limit of 10000 elements";
    assert_eq!(fault(&with("<b/>", MAX_ELEMENTS)), expected);
    assert_eq!(fault(&with("<!---->", MAX_ELEMENTS)), expected);
}

#[test]
fn entities_cannot_be_declared() {
    let bomb = "<!DOCTYPE a [<!ENTITY b 'xx'><!ENTITY c '&b;&b;'>]>\n<a>&c;</a>";
    assert_eq!(fault(bomb), "line 1: <!DOCTYPE> is not accepted");
    assert_eq!(fault("<a/>\n<!doctype a>"), "line 2: <!DOCTYPE> is not accepted");
}

/// Pieces that are markup in one place and garbage in the next.
fn markup() -> impl Strategy<Value = String> {
    let pieces = [
        "<",
        ">",
        "/",
        "</",
        "/>",
        "<a",
        "<a>",
        "</a>",
        "<b x='1'",
        "=",
        "'",
        "\"",
        "&",
        ";",
        "&#",
        "x41;",
        "&lt;",
        "<!--",
        "-->",
        "-",
        "<!",
        "<![CDATA[",
        "]]>",
        "<?xml ",
        "?>",
        "<?",
        "encoding='x'",
        "<!DOCTYPE",
        "[",
        "\n",
        "\r",
        " ",
        "é",
        "a",
        ":",
        "xmlns:a='b'",
        "\u{FEFF}",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in markup()) {
        let whole = format!("<r>{text}</r>");
        for text in [text, whole] {
            match parse(&text) {
                Ok(root) => {
                    let mut w = Writer::new();
                    w.element(&root);
                    prop_assert!(parse(&w.finish()).is_ok(), "{:?}", text);
                }
                Err(error) => prop_assert!(error.message.starts_with("XML error: line ")),
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_bytes(&bytes);
    }
}
