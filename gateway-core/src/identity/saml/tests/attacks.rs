//! Every way that we know to have a gateway believe what its provider did not say, or work for hours over it.
//!
//! Each begins with a genuine round and, where it needs one, a genuinely signed response. Each leaves the program
//! waiting and the person with the same words.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    provider::{Provider, Signed, signed_by},
    *,
};

/// Makes an attack on a round of its own, and sees it refused.
async fn refuse(world: &World, name: &str, attack: impl FnOnce(&Made) -> String) {
    let away = world.go_away().await;
    let xml = attack(&world.made(&away));
    let page = world.come_back(&away, &xml).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{name}: {}", page.body);
    assert!(page.body.contains("does not accept this login"), "{name}: {}", page.body);
    // The reference is drawn, and may spell anything.
    let said = page.body.split("reference ").next().unwrap_or_default();
    for secret in ["ana", "mallory", "signature", "audience", "Response"] {
        assert!(!said.contains(secret), "{name} says {secret}: {}", page.body);
    }
    assert_eq!(world.poll(&away.device_code), Err(Unmet::Pending), "{name}");
}

/// The first element of this name, whole.
fn element<'xml>(xml: &'xml str, name: &str) -> &'xml str {
    let start = xml.find(&format!("<{name}")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    let end = format!("</{name}>");
    let rest = xml.get(start..).unwrap();
    rest.get(..rest.find(&end).unwrap() + end.len()).unwrap()
}

fn forged(made: &Made) -> String {
    Made { name: "mallory".to_owned(), id: format!("{}f", made.id), ..made.clone() }.assertion()
}

#[tokio::test]
async fn refuses_every_shape_of_signature_wrapping() {
    let world = World::new(|_config| {});
    let with = |made: &Made, arrange: &dyn Fn(&str, &str, &str) -> String| {
        let genuine = made.signed();
        let assertion = element(&genuine, "saml:Assertion").to_owned();
        let signature = element(&assertion, "ds:Signature").to_owned();
        genuine.replace(&assertion, &arrange(&assertion, &forged(made), &signature))
    };
    let into =
        |assertion: &str, inner: &str| assertion.replacen("</saml:Issuer>", &format!("</saml:Issuer>{inner}"), 1);
    refuse(&world, "forged before", |made| with(made, &|genuine, forged, _| format!("{forged}{genuine}"))).await;
    refuse(&world, "forged behind", |made| with(made, &|genuine, forged, _| format!("{genuine}{forged}"))).await;
    refuse(&world, "genuine inside forged", |made| with(made, &|genuine, forged, _| into(forged, genuine))).await;
    refuse(&world, "forged with the signature, genuine inside", |made| {
        with(made, &|genuine, forged, signature| {
            into(forged, &format!("{signature}{}", genuine.replace(signature, "")))
        })
    })
    .await;
    refuse(&world, "genuine in an object of the signature", |made| {
        with(made, &|genuine, forged, signature| {
            let object = format!("<ds:Object>{}</ds:Object></ds:Signature>", genuine.replace(signature, ""));
            into(forged, &signature.replace("</ds:Signature>", &object))
        })
    })
    .await;
    refuse(&world, "the same id twice", |made| {
        with(made, &|genuine, forged, _| {
            format!("{}{genuine}", forged.replace(&format!("_a{}f", made.id), &format!("_a{}", made.id)))
        })
    })
    .await;
    refuse(&world, "genuine in extensions", |made| {
        let xml = with(made, &|_, forged, signature| into(forged, signature));
        let extensions =
            format!("</saml:Issuer><samlp:Extensions>{}</samlp:Extensions><samlp:Status>", made.assertion());
        xml.replacen("</saml:Issuer><samlp:Status>", &extensions, 1)
    })
    .await;
    refuse(&world, "a genuine response inside a forged one", |made| {
        made.around(&format!("{}{}", forged(made), made.signed()))
    })
    .await;
    refuse(&world, "a reference to everything", |made| {
        let signed = made.signed();
        signed.replace(&format!("URI=\"#_a{}\"", made.id), "URI=\"\"").replace(">ana<", ">mallory<")
    })
    .await;
    refuse(&world, "two assertions, both signed", |made| {
        let other = Made { id: format!("{}b", made.id), ..made.clone() };
        let second = element(&other.signed(), "saml:Assertion").to_owned();
        made.signed().replace("</samlp:Response>", &format!("{second}</samlp:Response>"))
    })
    .await;
}

#[tokio::test]
async fn refuses_what_is_not_signed_by_the_pinned_key() {
    let world = World::new(|_config| {});
    let (genuine, mallory) = (Provider::genuine(), Provider::mallory());
    refuse(&world, "unsigned", Made::unsigned).await;
    refuse(&world, "signature stripped", |made| {
        let signed = made.signed();
        signed.replace(element(&signed, "ds:Signature"), "")
    })
    .await;
    refuse(&world, "name changed", |made| made.signed().replace(">ana<", ">mallory<")).await;
    refuse(&world, "group changed", |made| made.signed().replace(">dba<", ">root<")).await;
    refuse(&world, "another key, its own certificate", |made| {
        signed_by(&made.unsigned(), mallory, &mallory.certificate, Signed::Assertion)
    })
    .await;
    refuse(&world, "another key, the genuine certificate", |made| {
        signed_by(&made.unsigned(), mallory, &genuine.certificate, Signed::Assertion)
    })
    .await;
    refuse(&world, "another key, no certificate", |made| {
        let signed = signed_by(&made.unsigned(), mallory, &mallory.certificate, Signed::Assertion);
        signed.replace(element(&signed, "ds:KeyInfo"), "")
    })
    .await;
    refuse(&world, "only the response is signed", |made| {
        signed_by(&made.unsigned(), genuine, &genuine.certificate, Signed::Response)
    })
    .await;
}

/// Signs with HMAC, whose key everybody knows: the bytes of the certificate.
fn hmac_with(key: &[u8], signed: &str) -> String {
    const HMAC: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    let before = element(signed, "ds:SignedInfo");
    let after = before.replace(provider::RSA_SHA256, HMAC);
    // Exclusive canonicalization: the namespace is declared, and no element is closed in itself.
    let declared = "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">";
    let declared = after.replace("<ds:SignedInfo>", declared);
    let canonical: Vec<String> = declared
        .split('<')
        .skip(1)
        .map(|tag| match tag.split_once("/>") {
            Some((open, rest)) => format!("<{}></{}>{rest}", open.trim_end(), open.split(' ').next().unwrap()),
            None => format!("<{tag}"),
        })
        .collect();
    let canonical = canonical.concat();
    let value = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), canonical.as_bytes()));
    let old = element(signed, "ds:SignatureValue");
    signed.replace(before, &after).replace(old, &format!("<ds:SignatureValue>{value}</ds:SignatureValue>"))
}

#[tokio::test]
async fn refuses_other_algorithms_than_rsa_with_sha_2() {
    let world = World::new(|_config| {});
    let certificate = Provider::genuine().certificate.clone();
    let der = STANDARD.decode(certificate.lines().filter(|line| !line.contains('-')).collect::<String>()).unwrap();
    for key in [certificate.as_bytes(), certificate.trim_end().as_bytes(), &der] {
        refuse(&world, "HMAC with the public certificate", |made| hmac_with(key, &made.signed())).await;
    }
    for other in ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"] {
        refuse(&world, other, |made| made.signed().replace(provider::RSA_SHA256, other)).await;
    }
    refuse(&world, "a digest by SHA-1", |made| {
        made.signed().replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1")
    })
    .await;
    refuse(&world, "canonicalization with comments", |made| {
        made.signed().replace("xml-exc-c14n#\"", "xml-exc-c14n#WithComments\"")
    })
    .await;
}

#[tokio::test]
async fn refuses_what_the_provider_said_to_somebody_else_or_at_another_time() {
    let world = World::new(|_config| {});
    let change = async |name: &str, change: &dyn Fn(&mut Made)| {
        refuse(&world, name, |made| {
            let mut made = made.clone();
            change(&mut made);
            made.signed()
        })
        .await;
    };
    change("another audience", &|made| made.audience = Some("https://other.example.com/saml/metadata")).await;
    change("no audience", &|made| made.audience = None).await;
    change("another recipient", &|made| made.recipient = "https://other.example.com/saml/acs").await;
    change("another destination", &|made| made.destination = "https://other.example.com/saml/acs").await;
    change("another issuer", &|made| made.issuer = "https://evil.example.com/metadata").await;
    change("another request", &|made| made.request = Some("_other".to_owned())).await;
    change("another request confirmed", &|made| made.confirmed_request = Some("_other".to_owned())).await;
    change("no request", &|made| (made.request, made.confirmed_request) = (None, None)).await;
    change("no confirmed request", &|made| made.confirmed_request = None).await;
    change("expired", &|made| made.not_on_or_after = made.now - 61).await;
    change("not valid yet", &|made| made.not_before = made.now + 61).await;
    change("valid for more than a day", &|made| made.not_on_or_after = made.now + 90_000).await;
    change("the provider's session is over", &|made| made.session_ends = Some(made.now - 61)).await;
    change("the login failed", &|made| made.status = "AuthnFailed").await;
    change("confirmed by a key", &|made| made.method = "holder-of-key").await;
    change("a condition of its own", &|made| made.condition = "<x:New xmlns:x=\"urn:x\"/>").await;
    change("no statement of a login", &|made| made.statement = false).await;
    change("a name for one login", &|made| made.name_format = "transient").await;
    change("a login in the future", &|made| made.now += 61).await;
    change("a name that is none", &|made| made.name = "ana\u{202e}".to_owned()).await;
}

#[tokio::test]
async fn a_clock_that_is_half_a_minute_off_is_borne() {
    let world = World::new(|_config| {});
    for off in [-30, 30] {
        let away = world.go_away().await;
        let made = Made::new(world.clock.unix_seconds() + off, Some(&away.request_id));
        assert_eq!(world.come_back(&away, &made.signed()).await.status, StatusCode::OK, "{off}");
    }
}

#[tokio::test]
async fn no_comment_shortens_a_name() {
    let world = World::new(|_config| {});
    for name in ["ana<!---->.evil", "ana<!-- -->.evil", "ana<?x y?>.evil", "<![CDATA[ana]]>.evil"] {
        // Canonicalization drops comments, so the signature of the longer name still verifies.
        refuse(&world, name, |made| {
            let longer = Made { name: "ana.evil".to_owned(), ..made.clone() };
            longer.signed().replace(">ana.evil<", &format!(">{name}<"))
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_serves_once_and_in_its_own_browser() {
    let world = World::new(|_config| {});
    let away = world.go_away().await;
    let signed = world.made(&away).signed();
    let other = world.go_away().await;
    let stolen = Away { cookie: other.cookie.clone(), relay_state: away.relay_state.clone(), ..world.go_away().await };
    assert_eq!(world.come_back(&stolen, &signed).await.status, StatusCode::FORBIDDEN, "another browser's cookie");
    assert_eq!(world.come_back(&away, &signed).await.status, StatusCode::FORBIDDEN, "the round is spent by the theft");
    let away = world.go_away().await;
    let signed = world.made(&away).signed();
    assert_eq!(world.come_back(&away, &signed).await.status, StatusCode::OK);
    assert_eq!(world.come_back(&away, &signed).await.status, StatusCode::FORBIDDEN, "again");
    assert_eq!(world.come_back(&other, &signed).await.status, StatusCode::FORBIDDEN, "in another round");
    assert!(world.poll(&away.device_code).is_ok());
    assert_eq!(world.poll(&other.device_code), Err(Unmet::Pending));
}

#[tokio::test]
async fn a_frame_or_a_script_brings_no_answer() {
    let world = World::new(|_config| {});
    for (name, value) in [("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")] {
        let away = world.go_away().await;
        let response = saml_rs::binding::base64_encode(world.made(&away).signed().as_bytes());
        let fields = [("SAMLResponse", response.as_str()), ("RelayState", away.relay_state.as_str())];
        let page = world.post("/saml/acs", &fields, &[("cookie", away.cookie.as_str()), (name, value)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{value}");
    }
}

#[tokio::test]
async fn xml_that_would_keep_a_parser_busy_is_refused() {
    let world = World::new(|_config| {});
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;\">]>";
    refuse(&world, "entities of entities", |made| format!("{laughs}{}", made.signed().replace(">ana<", ">&c;<"))).await;
    let external = "<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    refuse(&world, "an external entity", |made| format!("{external}{}", made.signed().replace(">ana<", ">&x;<"))).await;
    refuse(&world, "an entity that is not declared", |made| made.signed().replace(">ana<", ">&x;<")).await;
    let within = |made: &Made, more: &str| made.signed().replace("</samlp:Status>", &format!("</samlp:Status>{more}"));
    refuse(&world, "deep", |made| within(made, &format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000)))).await;
    refuse(&world, "wide", |made| within(made, &"<a/>".repeat(20_000))).await;
    refuse(&world, "huge", |made| within(made, &"x".repeat(screen::MAX_XML_BYTES))).await;
    refuse(&world, "larger than any body", |made| within(made, &"x".repeat(screen::MAX_BODY_BYTES))).await;
    let attributes = (0..2_000).map(|number| format!(" a{number}=\"\"")).collect::<Vec<_>>().concat();
    refuse(&world, "many attributes", |made| within(made, &format!("<a{attributes}/>"))).await;
    refuse(&world, "cut off", |made| made.signed().split_once("</saml:Subject>").unwrap().0.to_owned()).await;
    refuse(&world, "nothing", |_made| String::new()).await;
}

#[tokio::test]
async fn a_login_that_nobody_asked_for_needs_leave_and_still_the_persons_code() {
    let post = async |world: &World, made: &Made| {
        let response = saml_rs::binding::base64_encode(made.signed().as_bytes());
        world.post("/saml/acs", &[("SAMLResponse", &response)], &[]).await
    };
    let strict = World::new(|_config| {});
    let unasked = |world: &World| Made::new(world.clock.unix_seconds(), None);
    assert_eq!(post(&strict, &unasked(&strict)).await.status, StatusCode::FORBIDDEN);

    let world = World::new(|config| config.allow_idp_initiated = true);
    let made = unasked(&world);
    let page = post(&world, &made).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("<strong>ana</strong>"));
    assert_eq!(post(&world, &made).await.status, StatusCode::FORBIDDEN, "again");
    let answer = Made::new(made.now, Some("_request"));
    assert_eq!(post(&world, &answer).await.status, StatusCode::FORBIDDEN, "an answer to a request of somebody's");
    let old = Made { now: made.now - 12, not_before: made.now - 20, ..unasked(&world) };
    assert_eq!(post(&world, &old).await.status, StatusCode::FORBIDDEN, "older than the process");
    let (device_code, user_code) = world.begin();
    let wrong = world.submit(&page, &[("decision", "look"), ("user_code", "BCDF-GHJK")]).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let confirm = world.submit(&wrong, &[("decision", "look"), ("user_code", &user_code)]).await;
    assert!(confirm.body.contains("<dt>You are</dt><dd>ana</dd>"), "{}", confirm.body);
    let done = world.submit(&confirm, &[("decision", "approve"), ("matches", "yes")]).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(world.poll(&device_code).unwrap().principal.name.as_str(), "ana");
}
