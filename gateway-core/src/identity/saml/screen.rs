//! What a browser posted, looked at before any parser sees it: sizes, one message, and no XML that has declarations.
//!
//! A response needs no comment, no CDATA, no processing instruction and no document type; each of them is how parsers
//! have been made to disagree, or to work for hours. So `<!` and `<?` are refused where they stand. In XML neither can
//! be part of text or of an attribute, so that nothing legitimate is lost.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::refusal::Refusal;

/// The largest body of a post.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;
/// The largest message; a response with hundreds of groups has a tenth of it.
pub(super) const MAX_XML_BYTES: usize = 128 * 1024;
const MAX_FIELDS: usize = 16;
/// SPEC: SAML Bindings §3.5.3.
const MAX_RELAY_STATE_BYTES: usize = 80;

/// A response as it was posted, not believed yet.
#[derive(Debug)]
pub(super) struct Posted {
    /// Base64 of what was screened, byte for byte.
    pub(super) response: String,
    /// What came back with it.
    pub(super) relay_state: Option<String>,
}

impl Posted {
    /// Reads a form. Refuses what no identity provider sends.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let (mut response, mut relay_state) = (None, None);
        for (number, (name, value)) in url::form_urlencoded::parse(body).enumerate() {
            if number >= MAX_FIELDS {
                return Err(Refusal("the form has too many fields"));
            }
            let twice = match name.as_ref() {
                "SAMLResponse" => response.replace(value).is_some(),
                "RelayState" => relay_state.replace(value).is_some(),
                "SAMLRequest" => return Err(Refusal("it is a request, and the gateway takes responses")),
                _ => false,
            };
            if twice {
                return Err(Refusal("the form has a field twice"));
            }
        }
        if relay_state.as_ref().is_some_and(|state| state.len() > MAX_RELAY_STATE_BYTES) {
            return Err(Refusal("the RelayState is longer than SAML allows"));
        }
        let response = response.ok_or(Refusal("the form has no SAMLResponse"))?;
        let encoded: Vec<u8> = response.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let xml = STANDARD.decode(&encoded).map_err(|_malformed| Refusal("it is not Base64"))?;
        look_at(&xml)?;
        let relay_state = relay_state.map(std::borrow::Cow::into_owned).filter(|state| !state.is_empty());
        Ok(Self { response: STANDARD.encode(&xml), relay_state })
    }
}

/// Refuses what is too large or has declarations; also what came out of an encrypted assertion goes through here.
pub(super) fn look_at(xml: &[u8]) -> Result<(), Refusal> {
    if xml.len() > MAX_XML_BYTES {
        return Err(Refusal("it is too large"));
    }
    let text = std::str::from_utf8(xml).map_err(|_malformed| Refusal("it is not UTF-8"))?;
    let text = text.strip_prefix("<?xml ").unwrap_or(text);
    if text.contains("<!") {
        return Err(Refusal("it has a comment, a CDATA section or a document type"));
    }
    if text.contains("<?") {
        return Err(Refusal("it has a processing instruction"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(xml: &str) -> Result<Posted, Refusal> {
        let fields = [("SAMLResponse", STANDARD.encode(xml)), ("RelayState", "x".to_owned())];
        Posted::read(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().as_bytes())
    }

    #[test]
    fn takes_a_plain_document() {
        let read = posted("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"c\">&lt;!--</a>").unwrap();
        assert_eq!(read.relay_state.as_deref(), Some("x"));
    }

    #[test]
    fn refuses_declarations_wherever_they_stand() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\"><!ENTITY d \"&b;&b;\">]><a>&d;</a>";
        let external = "<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>";
        for xml in
            [bomb, external, "<a>ana<!-- -->.evil</a>", "<a><![CDATA[b]]></a>", "<a><?b c?></a>", " <?xml ?><a/>"]
        {
            assert!(posted(xml).is_err(), "{xml}");
        }
    }

    #[test]
    fn refuses_forms_that_no_provider_sends() {
        let twice = format!("SAMLResponse={0}&SAMLResponse={0}", STANDARD.encode("<a/>"));
        let large = format!("SAMLResponse={}", STANDARD.encode("a".repeat(MAX_XML_BYTES + 1)));
        let state = format!("SAMLResponse={}&RelayState={}", STANDARD.encode("<a/>"), "x".repeat(81));
        let many = "a=b&".repeat(MAX_FIELDS + 1);
        for form in ["", "SAMLResponse=%00", "SAMLRequest=PGEvPg==", &twice, &large, &state, &many] {
            assert!(Posted::read(form.as_bytes()).is_err(), "{form:.40}");
        }
    }
}
