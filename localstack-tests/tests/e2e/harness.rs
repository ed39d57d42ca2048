//! The harness itself: a proof is worth what the thing is worth that it was made with.

use std::time::Duration;

use localstack_tests::{Call, Emulator, Fault, Proxy, Rule};

use crate::account;

const NETWORK: &[(&str, &str)] = &[("CidrBlock", "10.1.0.0/16")];

fn is_create_vpc(call: &Call) -> bool {
    call.action == "CreateVpc"
}

#[test]
fn accounts_do_not_see_each_other() {
    let (one, two) = (account(), account());
    let empty = two.inventory().unwrap();
    one.query("ec2", "CreateVpc", NETWORK).unwrap();
    assert_eq!(one.inventory().unwrap()["vpcId"], empty["vpcId"] + 1);
    assert_eq!(two.inventory().unwrap(), empty);
    let identity = one.query("sts", "GetCallerIdentity", &[]).unwrap();
    assert!(identity.contains(&format!("<Account>{}</Account>", one.id)), "{identity}");
}

#[test]
fn a_repeated_client_token_makes_one_object() {
    if std::env::var_os("LOCALSTACK_ENDPOINT").is_some() {
        return; // mended by our launcher only
    }
    let account = account();
    let before = account.inventory().unwrap()["routeTableId"];
    let vpcs = account.query("ec2", "CreateVpc", NETWORK).unwrap();
    let vpc = vpcs.split("<vpcId>").nth(1).unwrap().split('<').next().unwrap();
    let request = [("VpcId", vpc), ("ClientToken", "token-1")];
    let first = account.query("ec2", "CreateRouteTable", &request).unwrap();
    assert_eq!(account.query("ec2", "CreateRouteTable", &request).unwrap(), first);
    // the VPC's main table and the one that was asked for twice
    assert_eq!(account.inventory().unwrap()["routeTableId"], before + 2);
    let other = account.query("ec2", "CreateRouteTable", &[("VpcId", "vpc-other"), ("ClientToken", "token-1")]);
    assert!(other.unwrap_err().full().contains("IdempotentParameterMismatch"));
}

#[test]
fn many_calls_at_once_do_not_trip_each_other() {
    let account = account();
    let before = account.inventory().unwrap()["vpcId"];
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..5 {
                    account.query("ec2", "CreateVpc", NETWORK).unwrap();
                    account.query("ec2", "DescribeVpcs", &[]).unwrap();
                }
            });
        }
    });
    assert_eq!(account.inventory().unwrap()["vpcId"], before + 40);
}

#[test]
fn an_emulator_ends_with_its_owner() {
    let emulator = Emulator::start(&localstack_tests::emulator::cache_dir(), None).unwrap();
    let (endpoint, process_id) = (emulator.endpoint().to_owned(), emulator.process_id().unwrap());
    drop(emulator);
    assert!(std::net::TcpStream::connect(endpoint.trim_start_matches("http://")).is_err());
    assert!(!std::path::Path::new(&format!("/proc/{process_id}")).exists());
}

#[test]
fn the_proxy_records_and_breaks_calls() {
    let account = account();
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let through = account.through(proxy.endpoint());
    let before = account.inventory().unwrap()["vpcId"];

    proxy.inject(Rule::nth(2, is_create_vpc, Fault::DropBefore));
    proxy.inject(Rule::nth(3, is_create_vpc, Fault::DropAfter));
    proxy.inject(Rule::nth(4, is_create_vpc, Fault::throttle()));
    through.query("ec2", "CreateVpc", NETWORK).unwrap();
    for _ in 0..2 {
        through.query("ec2", "CreateVpc", NETWORK).unwrap_err();
    }
    let throttled = through.query("ec2", "CreateVpc", NETWORK).unwrap_err();
    assert!(throttled.full().contains("ThrottlingException"), "{}", throttled.full());
    // the first and the one whose answer was dropped
    assert_eq!(account.inventory().unwrap()["vpcId"], before + 2);

    let calls = proxy.calls();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call.service == "ec2" && call.is_mutation()));
    proxy.reset();
    proxy.inject(Rule::every(Call::is_read, Fault::Delay(Duration::from_millis(1))));
    through.get("eks", "/clusters").unwrap();
    assert_eq!(proxy.calls()[0].action, "ListClusters");
}

#[test]
fn the_proxy_kills_its_victim() {
    use std::os::unix::process::ExitStatusExt;

    let account = account();
    let proxy = Proxy::start(&account.endpoint).unwrap();
    proxy.inject(Rule::nth(1, is_create_vpc, Fault::KillBefore));
    // a program that would wait for ever
    let mut victim = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    proxy.set_victim(victim.id());
    account.through(proxy.endpoint()).query("ec2", "CreateVpc", NETWORK).unwrap_err();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));
}
