//! The protocol page's test vectors, every refusal, and forgeries.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const NOW: u64 = 1_700_000_000;
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SKfedcba9876543210fedcba9876543210";
const SECRET: &str = "dummy-api-key-secret-00000000000";
const SERVICE: &str = "IS00112233445566778899aabbccddeeff";

const V1: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJhbGljZSIsImRhdGFfc3luYyI6eyJzZXJ2aWNlX3NpZCI6IklTMDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYifX0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJpc3MiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwIiwic3ViIjoiQUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJ9.UAn210TsaRa9LAcOEQqugjzsuawJRjum5oy-KvTFsps";
const V2: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJhbGljZSIsImRhdGFfc3luYyI6eyJzZXJ2aWNlX3NpZCI6IklTMDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYiLCJlbmRwb2ludF9pZCI6IndlYjphbGljZTpkZXZpY2UtMSJ9fSwibmJmIjoxNzAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwiaXNzIjoiU0tmZWRjYmE5ODc2NTQzMjEwZmVkY2JhOTg3NjU0MzIxMCIsInN1YiI6IkFDMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYifQ.9QSjHPTAom_-xdC1nhpdzqAmny5HobGfBgnkA3CGBu4";
const V3: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIiwidHdyIjoiYXUxIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJib2JAZXhhbXBsZS5jb20iLCJkYXRhX3N5bmMiOnsic2VydmljZV9zaWQiOiJJUzAwMTEyMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZmIn0sImNoYXQiOnsic2VydmljZV9zaWQiOiJJU2ZmZWVkZGNjYmJhYTk5ODg3NzY2NTU0NDMzMjIxMTAwIiwicHVzaF9jcmVkZW50aWFsX3NpZCI6IkNSMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAifX0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDg2NDAwLCJpc3MiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwIiwic3ViIjoiQUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJ9.n5H44aNNvWAahPZ1PQqzsdLOEi-FWtZBmvrEef4A3Hw";
const V4: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJhbGljZSIsImRhdGFfc3luYyI6eyJzZXJ2aWNlX3NpZCI6ImRlZmF1bHQifX0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwMTgwLCJpc3MiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwIiwic3ViIjoiQUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJ9.oFTyn0H_mQD69ezZGojN6SxFSa-Huh9XQ2w6isxBZ0E";
const V5: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiLFvMOzxYJ3IPCfkKIiLCJkYXRhX3N5bmMiOnsic2VydmljZV9zaWQiOiJJUzAwMTEyMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZmIn19LCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwiaXNzIjoiU0tmZWRjYmE5ODc2NTQzMjEwZmVkY2JhOTg3NjU0MzIxMCIsInN1YiI6IkFDMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYifQ.rSuNHT4LZJC5tF3EkKUyWv6RU6lCr0NMPvFDectgXe0";
const V6: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJhbGljZSIsImRhdGFfc3luYyI6eyJzZXJ2aWNlX3NpZCI6IklTMDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYifX0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJpc3MiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwIiwic3ViIjoiQUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJ9.5BxWsB2L-8VeaWhmg7x6dRdGl-moW_IDy_jDo0jHEtMDhVexMT8ivNSlBouVzv2FvlS7ngLFxwj12-cpZBt8-Q";
const V7: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiaWRlbnRpdHkiOiJhbGljZSIsImRhdGFfc3luYyI6e319LCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwiaXNzIjoiU0tmZWRjYmE5ODc2NTQzMjEwZmVkY2JhOTg3NjU0MzIxMCIsInN1YiI6IkFDMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYifQ.hc2jHiYFDs2e40jRtDS0_moyojYaJAg9sTZz2mFByOk";
const P1: &str = "eyJhbGciOiJIUzI1NiIsImN0eSI6InR3aWxpby1mcGE7dj0xIiwidHlwIjoiSldUIn0.eyJqdGkiOiJTS2ZlZGNiYTk4NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEwLTE3MDAwMDAwMDAiLCJncmFudHMiOnsiZGF0YV9zeW5jIjp7InNlcnZpY2Vfc2lkIjoiSVMwMDExMjIzMzQ0NTU2Njc3ODg5OWFhYmJjY2RkZWVmZiJ9LCJpZGVudGl0eSI6ImFsaWNlIn0sImlzcyI6IlNLZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTAiLCJleHAiOjE3MDAwMDM2MDAsIm5iZiI6MTcwMDAwMDAwMCwic3ViIjoiQUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJ9.jvqfPaCtAmyGSwfyBFDv5VRhLLi7-j8xY2A1vYXYf2Q";

fn key() -> ApiKey {
    ApiKey::new(KEY, SECRET)
}

fn verifier() -> Verifier {
    Verifier::new(ACCOUNT, SERVICE).key(key())
}

fn minter() -> Minter {
    Minter::new(ACCOUNT, SERVICE, key())
}

fn part(text: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap()
}

/// V1 with another header and other claims, signed with the secret.
fn forged(change: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>)) -> String {
    let mut parts = V1.split('.').map(str::to_owned);
    let (header, claims) = (part(&parts.next().unwrap()), part(&parts.next().unwrap()));
    let (Value::Object(mut header), Value::Object(mut claims)) = (header, claims) else { panic!("objects") };
    change(&mut header, &mut claims);
    let text = |object| BASE64URL_NOPAD.encode(Value::Object(object).to_string().as_bytes());
    let signed = format!("{}.{}", text(header), text(claims));
    let signature = Algorithm::Hs256.sign(SECRET, &signed);
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// What a case does to header and claims.
type Change = fn(&mut Map<String, Value>, &mut Map<String, Value>);

fn refused(token: &str) -> u32 {
    verifier().verify(token, NOW).expect_err(token).code()
}

#[test]
fn the_vectors_of_both_libraries_are_accepted() {
    let day = Duration::from_secs(86_400);
    let (hour, minutes) = (Duration::from_secs(3_600), Duration::from_secs(180));
    for (token, identity, lasts) in [
        (V1, "alice", hour),
        (V2, "alice", hour),
        (V3, "bob@example.com", day),
        (V4, "alice", minutes),
        (V5, "żółw 🐢", hour),
        (V6, "alice", hour),
        (P1, "alice", hour),
    ] {
        let verified = verifier().verify(token, NOW).unwrap();
        assert_eq!((verified.identity.as_str(), verified.lasts), (identity, lasts));
        assert_eq!((verified.account_sid.as_str(), verified.service_sid.as_str()), (ACCOUNT, SERVICE));
        assert_eq!((verified.key_sid.as_str(), verified.expires_s), (KEY, NOW + lasts.as_secs()));
    }
}

#[test]
fn an_empty_grant_names_no_service_unless_that_is_accepted() {
    assert_eq!(refused(V7), 51104);
    assert_eq!(verifier().without_service(true).verify(V7, NOW).unwrap().service_sid, SERVICE);
}

#[test]
fn the_negative_cases_of_the_page_have_its_codes() {
    let (signed, signature) = V1.rsplit_once('.').unwrap();
    let changed = forged(|_, claims| claims["grants"]["identity"] = json!("mallory"));
    let (changed, _) = changed.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{changed}.{signature}")), 20107);
    let other = Verifier::new(ACCOUNT, SERVICE).key(ApiKey::new(KEY, "another-secret"));
    assert_eq!(other.verify(V1, NOW), Err(JwtError::Signature));
    let none = forged(|header, _| header["alg"] = json!("none"));
    assert_eq!(refused(&format!("{}.", none.rsplit_once('.').unwrap().0)), 20102);
    assert_eq!(refused(&none), 20102);
    assert_eq!(refused(&forged(|header, _| drop(header.remove("cty")))), 20102);
    assert_eq!(
        refused(&forged(|_, claims| claims["iss"] = json!("SK00000000000000000000000000000000"))),
        20103
    );
    assert_eq!(
        refused(&forged(|_, claims| claims["sub"] = json!("AC00000000000000000000000000000000"))),
        20103
    );
    let late = |seconds| verifier().verify(V1, NOW + 3_600 + seconds).map(|verified| verified.lasts);
    assert_eq!((late(29), late(30)), (Ok(Duration::ZERO), Err(JwtError::Expired)));
    assert_eq!(JwtError::Expired.code(), 20104);
    assert_eq!(refused(&forged(|_, claims| claims["exp"] = json!(NOW + 86_401))), 20157);
    assert_eq!(refused(&forged(|_, claims| drop(claims.insert("nbf".into(), json!(NOW + 31))))), 20105);
    assert_eq!(refused(&forged(|_, claims| drop(claims.remove("grants")))), 20106);
    let anonymous = |_: &mut Map<String, Value>, claims: &mut Map<String, Value>| {
        drop(claims["grants"].as_object_mut().unwrap().remove("identity"));
    };
    assert_eq!(refused(&forged(anonymous)), 51105);
    for malformed in [format!("{V1}.x"), format!("{V1}="), signed.to_owned(), String::new(), "..".into()] {
        assert_eq!(refused(&malformed), 20101, "{malformed}");
    }
}

#[test]
fn the_other_refusals_have_their_codes() {
    let cases: [(Change, u32); 17] = [
        (|header, _| header["alg"] = json!("RS256"), 20102),
        (|header, _| header["alg"] = json!("hs256"), 20102),
        (|header, _| header["alg"] = json!(["HS256"]), 20102),
        (|header, _| header["typ"] = json!("jwt2"), 20102),
        (|_, claims| drop(claims.remove("iss")), 20103),
        (|_, claims| drop(claims.remove("exp")), 20104),
        (|_, claims| claims["exp"] = json!("1700003600"), 20104),
        (|_, claims| claims["exp"] = json!(-1), 20104),
        (|_, claims| claims["exp"] = json!(u64::MAX), 20157),
        (|_, claims| claims["iat"] = json!("yesterday"), 20157),
        (|_, claims| drop(claims.insert("nbf".into(), json!("soon"))), 20105),
        (|_, claims| claims["grants"] = json!({ "identity": "alice", "chat": {} }), 20106),
        (|_, claims| claims["grants"]["data_sync"] = json!("IS"), 20106),
        (|_, claims| claims["grants"]["data_sync"]["service_sid"] = json!(""), 51104),
        (|_, claims| claims["grants"]["data_sync"]["service_sid"] = json!("IS11"), 54056),
        (|_, claims| claims["grants"]["identity"] = json!("x".repeat(257)), 51003),
        (|_, claims| claims["grants"]["data_sync"]["endpoint_id"] = json!("x".repeat(257)), 51004),
    ];
    for (at, (change, code)) in cases.into_iter().enumerate() {
        assert_eq!(refused(&forged(change)), code, "case {at}");
    }
    let long = format!("{V1}{}", "A".repeat(crate::limits::JWT_BYTES_MAX));
    assert_eq!(refused(&long), 20101);
}

#[test]
fn what_fails_several_checks_is_refused_by_the_first() {
    let worse = |at: usize| {
        forged(move |header, claims| {
            if at < 1 {
                header["alg"] = json!("none");
            }
            if at < 2 {
                claims["iss"] = json!("SK");
            }
            claims["exp"] = json!(if at < 3 { NOW - 100 } else { NOW + 90_000 });
            claims.insert("nbf".into(), json!(NOW + 1_000));
            claims.remove("grants");
        })
    };
    let codes: Vec<u32> = (0..4).map(|at| refused(&worse(at))).collect();
    assert_eq!(codes, [20102, 20103, 20104, 20157]);
    let unsigned = |at| format!("{}.AAAA", worse(at).rsplit_once('.').unwrap().0);
    assert_eq!((refused(&unsigned(1)), refused(&unsigned(2))), (20103, 20107));
}

#[test]
fn unusual_but_good_tokens_are_accepted() {
    let good: [Change; 5] = [
        |_, claims| drop(claims.remove("iat")),
        |_, claims| claims["jti"] = json!(7),
        |_, claims| drop(claims.insert("nbf".into(), json!(NOW + 30))),
        |header, _| header["cty"] = json!("twilio-fpa;v=2"),
        // Signed a little ahead of us, for a whole day.
        |_, claims| drop((claims.remove("iat"), claims.insert("exp".into(), json!(NOW + 86_430)))),
    ];
    for (at, change) in good.into_iter().enumerate() {
        assert!(verifier().verify(&forged(change), NOW).is_ok(), "case {at}");
    }
}

#[test]
fn tokens_are_made_in_the_bytes_of_the_official_library() {
    let hour = Duration::from_secs(3_600);
    assert_eq!(minter().mint("alice", hour, NOW).unwrap().secret(), V1);
    assert_eq!(minter().mint("żółw 🐢", hour, NOW).unwrap().secret(), V5);
    let of_default = Minter::new(ACCOUNT, "default", key());
    assert_eq!(of_default.mint("alice", Duration::from_secs(180), NOW).unwrap().secret(), V4);
    let strong = minter().algorithm(Algorithm::Hs512);
    assert_eq!(strong.mint("alice", hour, NOW).unwrap().secret(), V6);
    assert_eq!(minter().mint("alice", hour, NOW).unwrap().lasts(), Some(hour));
}

#[test]
fn tokens_of_a_wrong_life_or_for_nobody_are_not_made() {
    for seconds in [0, 179, 86_401] {
        let lifetime = Duration::from_secs(seconds);
        assert_eq!(minter().mint("alice", lifetime, NOW), Err(MintError::Lifetime(lifetime)));
    }
    let hour = Duration::from_secs(3_600);
    assert_eq!(minter().mint("", hour, NOW), Err(MintError::Identity(0)));
    assert_eq!(minter().mint(&"x".repeat(257), hour, NOW), Err(MintError::Identity(257)));
}

/// C64.
#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?} {:?} {:?}", key(), verifier(), minter());
    assert!(!printed.contains(SECRET) && printed.contains("[redacted]"), "{printed}");
}

proptest! {
    #[test]
    fn no_changed_byte_passes(at in 0..V1.len(), to in any::<u8>(), vector in 0..3_usize) {
        let token = [V1, V6, P1][vector];
        let at = at % token.len();
        let mut bytes = token.as_bytes().to_vec();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(token) = String::from_utf8(bytes) {
            prop_assert!(verifier().verify(&token, NOW).is_err());
        }
    }

    #[test]
    fn no_part_left_out_or_put_in_passes(at in 0..V1.len(), length in 1..40_usize, more in "[A-Za-z0-9_.=-]{1,8}") {
        let end = (at + length).min(V1.len());
        let shorter = [&V1[..at], &V1[end..]].concat();
        let longer = [&V1[..at], &more, &V1[at..]].concat();
        prop_assert!(verifier().verify(&shorter, NOW).is_err());
        prop_assert!(verifier().verify(&longer, NOW).is_err());
    }

    #[test]
    fn whatever_is_made_is_accepted(identity in "\\PC{1,256}", life in 180..=86_400_u64, now in 0..=4_000_000_000_u64) {
        let token = minter().mint(&identity, Duration::from_secs(life), now).unwrap();
        let verified = verifier().verify(token.secret(), now).unwrap();
        prop_assert_eq!((verified.identity, verified.lasts.as_secs()), (identity, life));
    }

    #[test]
    fn anything_may_be_offered(text in ".{0,200}") {
        prop_assert!(verifier().verify(&text, NOW).is_err());
    }
}
