use super::*;
use crate::xml;

const GRAMMAR: &str = r#"
<grammar xmlns="http://relaxng.org/ns/structure/1.0" xmlns:x="urn:x"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <include href="parts"/>
  <start>
    <element name="a">
      <attribute name="kind"><choice><value>one</value><value>two</value></choice></attribute>
      <optional><attribute name="n"><data type="unsignedInt"/></attribute></optional>
      <interleave>
        <optional><element name="b"><ref name="size"/></element></optional>
        <zeroOrMore><ref name="part"/></zeroOrMore>
        <optional>
          <element name="x:c"><text/></element>
        </optional>
      </interleave>
      <optional><element name="end"><empty/></element></optional>
    </element>
  </start>
</grammar>"#;

const PARTS: &str = r#"
<grammar xmlns="http://relaxng.org/ns/structure/1.0"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <define name="size">
    <data type="int">
      <param name="pattern">[0-9]+</param>
      <param name="minInclusive">5</param>
      <param name="maxInclusive">9</param>
    </data>
  </define>
  <define name="part">
    <choice>
      <element name="p">
        <attribute name="type"><value>leaf</value></attribute>
        <attribute name="of"><data type="string"/></attribute>
      </element>
      <element name="p">
        <attribute name="type"><value>inner</value></attribute>
        <oneOrMore><ref name="part"/></oneOrMore>
      </element>
    </choice>
  </define>
</grammar>"#;

fn schema() -> Schema {
    let read = |name: &str| match name {
        "main" => Some(GRAMMAR),
        "parts" => Some(PARTS),
        _ => None,
    };
    Schema::compile("main", read).unwrap()
}

fn verdict(document: &str) -> String {
    match schema().validate(&xml::parse(document).unwrap()) {
        Ok(()) => "valid".to_owned(),
        Err(error) => error.message,
    }
}

fn assert_fault(document: &str, detail: &str) {
    let phrase = "XML document failed to validate against schema: ";
    assert_eq!(verdict(document).strip_prefix(phrase), Some(detail), "{document}");
}

#[test]
fn what_the_grammar_allows_is_valid() {
    for document in [
        "<a kind='one'/>",
        "<a n='3' kind=' two '> <!-- c --> </a>",
        "<a kind='one'><p type='leaf' of=''/><b>7</b><p type='leaf' of='x'/></a>",
        "<a kind='one'><p type='inner'><p type='inner'><p of='' type='leaf'/></p></p></a>",
        "<a kind='one'><y:c xmlns:y='urn:x'>text</y:c><b>0<!-- c -->5</b><end/></a>",
        "<a kind='one'><c xmlns='urn:x'/></a>",
    ] {
        assert_eq!(verdict(document), "valid", "{document}");
    }
}

#[test]
fn a_fault_says_where_and_what_is_allowed() {
    assert_fault("<b/>", "line 1: the document is <b>, not <a>");
    assert_fault("<a/>", "line 1: <a> needs an attribute kind='...'");
    assert_fault(
        "\n<a kind='three'/>",
        "line 2: attribute kind of <a> cannot be 'three': allowed is 'one' or 'two'",
    );
    assert_fault(
        "<a kind='one' n='-1'/>",
        "line 1: attribute n of <a> cannot be '-1': allowed is a number from 0 to 4294967295",
    );
    assert_fault("<a kind='one' x='1'/>", "line 1: <a> cannot have the attribute x: allowed is n");
    assert_fault(
        "<a kind='one'>\n<d/></a>",
        "line 2: <d> is not allowed in <a> here: allowed is <b>, <c>, <end> or <p>",
    );
    assert_fault(
        "<a kind='one'><end/>\n<b>5</b></a>",
        "line 2: <b> is not allowed in <a>, nor another element",
    );
    assert_fault(
        "<a kind='one'><b>4</b></a>",
        "line 1: <b> cannot be '4': allowed is a number from 5 to 9",
    );
    assert_fault(
        "<a kind='one'>\n<b/>x</a>",
        "line 2: <b> cannot be '': allowed is a number from 5 to 9",
    );
    assert_fault("<a kind='one'>x</a>", "line 1: <a> cannot have the text 'x'");
    assert_fault("<a kind='one'>x<end/></a>", "line 1: <a> cannot have the text 'x'");
}

#[test]
fn of_several_definitions_the_one_that_came_furthest_explains() {
    assert_fault(
        "<a kind='one'><p type='inner'><p type='leaf'/></p></a>",
        "line 1: <p> needs an attribute of='...'",
    );
    assert_fault("<a kind='one'><p type='inner'/></a>", "line 1: <p> needs a child element <p>");
}

#[test]
fn the_error_is_libvirts() {
    let error = schema().validate(&xml::parse("<b/>").unwrap()).unwrap_err();
    assert_eq!((error.code as i32, error.domain), (92, ErrorDomain::Xml));
}

#[test]
fn a_number_with_a_pattern_has_no_white_space() {
    assert_eq!(verdict("<a kind='one' n=' 3 '/>"), "valid");
    assert_ne!(verdict("<a kind='one'><b> 7 </b></a>"), "valid");
}

#[test]
fn grammars_that_are_not_understood_are_refused() {
    for (grammar, message) in [
        ("<grammar/>", "the grammar does not define ''"),
        ("<grammar><start><ref name='a'/></start></grammar>", "does not define 'a'"),
        (
            "<grammar><start><ref name='a'/></start><define name='a'><ref name='a'/></define></grammar>",
            "or by itself",
        ),
        ("<grammar><start><list/></start></grammar>", "<list> in a grammar is not understood"),
        ("<grammar><start><data type='x'/></start></grammar>", "the data type 'x' is not known"),
        ("<grammar><include href='x'/></grammar>", "there is no grammar x"),
    ] {
        let read = |name: &str| (name == "main").then_some(grammar);
        let error = Schema::compile("main", read).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

/// Two definitions of one name at every level are no tree of possibilities: without remembering
/// what was tried this would be 2^60 attempts.
#[test]
fn ambiguity_does_not_multiply() {
    let depth = 60;
    let inner = "<p type='inner'>".repeat(depth);
    let document = format!("<a kind='one'>{inner}<p/>{}</a>", "</p>".repeat(depth));
    let grammar = PARTS.replace("<value>inner</value>", "<text/>").replace(
        "<attribute name=\"of\"><data type=\"string\"/></attribute>",
        "<zeroOrMore><ref name=\"part\"/></zeroOrMore>",
    );
    let grammar = grammar.replace("<value>leaf</value>", "<text/>");
    let read = |name: &str| if name == "main" { Some(GRAMMAR) } else { Some(grammar.as_str()) };
    let schema = Schema::compile("main", read).unwrap();
    let error = schema.validate(&xml::parse(&document).unwrap()).unwrap_err();
    assert!(error.message.ends_with("<p> needs an attribute type='...'"), "{error}");
}
