use super::*;

fn parse(text: &str) -> BackendUrl {
    BackendUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn nats(text: &str) -> NatsUrl {
    match parse(text) {
        BackendUrl::Nats(url) => url,
        other => panic!("{text}: {other:?}"),
    }
}

fn service(text: &str) -> ServiceUrl {
    match parse(text) {
        BackendUrl::Service(url) => url,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn memory_and_files() {
    assert_eq!(parse("memory:"), BackendUrl::Memory);
    for (text, path) in [
        ("file:exam.db", "exam.db"),
        ("file:./with space%20.db", "./with space%20.db"),
        ("file:/var/exam.db", "/var/exam.db"),
        ("file:///var/exam.db", "/var/exam.db"),
    ] {
        assert_eq!(parse(text), BackendUrl::File(path.into()), "{text}");
    }
}

#[test]
fn servers_of_nats_have_a_port_and_a_bucket_also_when_none_is_named() {
    let url = nats("nats://127.0.0.1");
    assert_eq!((url.servers(), url.bucket()), (&["nats://127.0.0.1:4222".to_owned()][..], "sp-sync"));
    assert_eq!((url.replicas(), url.has_login()), (None, false));
    let url = nats("tls://a.example,[::1]:5000,c:6000/exams_1?replicas=3");
    assert_eq!(url.servers(), ["tls://a.example:4222", "tls://[::1]:5000", "tls://c:6000"]);
    assert_eq!((url.bucket(), url.replicas()), ("exams_1", Some(3)));
    assert_eq!(url.to_string(), "tls://a.example:4222,[::1]:5000,c:6000/exams_1");
}

#[test]
fn services_are_where_their_address_says_or_at_the_usual_door() {
    for (text, endpoint, base) in [
        ("ws://127.0.0.1:9080", "ws://127.0.0.1:9080/v3/wsconnect", None),
        ("wss://sync.example/", "wss://sync.example/v3/wsconnect", None),
        ("wss://sync.example/other/door", "wss://sync.example/other/door", None),
        ("https://api.example/v1/", "wss://api.example/v1/v3/wsconnect", Some("https://api.example/v1")),
        ("http://[::1]:80", "ws://[::1]:80/v3/wsconnect", Some("http://[::1]:80")),
    ] {
        let url = service(text);
        assert_eq!((url.endpoint().as_str(), url.base_uri()), (endpoint, base), "{text}");
    }
}

/// C64: what is wrong may be the secret itself.
#[test]
fn what_is_of_no_form_is_refused_with_the_forms_and_without_its_secrets() {
    for (text, said) in [
        ("", "the forms are memory:, file:PATH, nats://"),
        ("s3cret", "no scheme"),
        ("C:\\s3cret.db", "no scheme"),
        ("redis://s3cret@h", "no backend has this scheme"),
        ("memory:s3cret", "nothing stands behind"),
        ("file:", "the path is missing"),
        ("file://s3cret/x", "file:///PATH"),
        ("nats:s3cret", "write nats://HOST:PORT/BUCKET"),
        ("nats://", "server 1: there is no host"),
        ("nats://a,,b", "server 2: there is no host"),
        ("nats://a:1,b:s3cret", "server 2: the port"),
        ("nats://ana:s3c/ret@h:1/b", "the port"),
        ("nats://ana:12/s3cret@h:1/b", "a bucket's name"),
        ("nats://ana:s3%ret@h:1", "the login"),
        ("nats://ana:@h:1", "the login"),
        ("nats://h:1/b?replicas=0", "from 1 to 5"),
        ("nats://h:1/b?password=s3cret", "replicas=NUMBER only"),
        ("ws:s3cret", "write ws://HOST:PORT"),
        ("wss://ana:s3cret@h", "the access token says who asks"),
        ("wss://h/v3/wsconnect?token=s3cret", "given to the client"),
        ("https:///s3cret", "there is no host"),
    ] {
        let Err(error) = BackendUrl::parse(text) else { panic!("{text} was taken") };
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(said), "{text}: {shown}");
        for secret in ["s3cret", "s3c", "ret@", "ana"] {
            assert!(!shown.contains(secret), "{text}: {shown}");
        }
    }
}

#[tokio::test]
async fn what_was_not_built_names_its_feature_and_what_was_is_opened() {
    assert_eq!(from_url("memory:").await.unwrap().facts().name, "memory");
    let opened = from_url("wss://sync.example").await;
    match cfg!(feature = "remote") {
        true => assert_eq!(opened.unwrap().facts().name, "remote"),
        false => assert!(opened.err().unwrap().to_string().contains("the feature `remote`")),
    }
    if cfg!(not(feature = "embedded")) {
        let refused = from_url("file:nowhere").await.err().unwrap().to_string();
        assert!(refused.contains("the feature `embedded`"), "{refused}");
    }
}
