//! What the SSL settings of a site cost a request, by how many rules the site has.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use siteward_core::path::UrlPath;
use siteward_core::ssl::{
    ClientCertificate, KeyExchange, RequireSsl, Rule, RulePath, Rules, Settings, Strength, TlsFacts, TlsVersion,
    Transport,
};

const MODERN: Transport = Transport::Tls(TlsFacts {
    version: TlsVersion::Tls13,
    strength: Strength::Bits256,
    key_exchange: KeyExchange::PostQuantum,
    client: ClientCertificate::None,
});

/// Rules of four folders within each other, a hundred side by side at most.
fn rules(count: usize) -> Rules {
    let rule = |n: usize| {
        let path = format!("/area-{}/part-{}/year-{}/month-{}", n / 1_000, n / 100 % 10, n / 10 % 10, n % 10);
        let settings = Settings { strength: Some(Strength::Bits256), ..RequireSsl::Refuse.into() };
        let path = RulePath::parse(&path).expect("a path of a rule");
        Rule { id: n as i64, path, settings, reason: String::new() }
    };
    Rules::new((0..count).map(rule))
}

fn verdict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    for (name, raw) in [
        ("a file below a rule", "/area-0/part-0/year-0/month-0/report.pdf"),
        ("in other letters", "/AREA-0/Part-0/year-0/month-0/report.pdf"),
        ("a file without a rule", "/books/atlas/of/maps/index.html"),
    ] {
        let path = UrlPath::parse(raw).expect("a path");
        for count in [1, 100, 10_000] {
            let rules = rules(count);
            group.bench_with_input(BenchmarkId::new(name, count), &path, |bench, path| {
                bench.iter(|| black_box(&rules).demands(black_box(path)).verdict(black_box(MODERN)));
            });
        }
    }
    group.finish();
    criterion.bench_function("making the rules of a site/10000", |bench| bench.iter(|| rules(black_box(10_000))));
}

criterion_group!(benches, verdict);
criterion_main!(benches);
