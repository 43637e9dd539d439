//! `cargo xtask bench`: runs the benches and the probes beside them in interleaved rounds, and says which figures are met.
//!
//! The machine's mood changes within minutes, so a figure is compared with its probe round by round, and the median of those ratios counts.

use std::path::PathBuf;

use serde_json::json;

use crate::error::Error;

mod judge;
mod markdown;
mod probe;
mod product;
mod record;
mod rounds;
mod spec;
mod stats;
mod table;

use probe::Probes;
use product::Product;
use record::Record;
use rounds::Round;
use spec::Bench;

/// What to measure, and how.
#[derive(clap::Args)]
pub struct Options {
    /// Folder of the limit probes; without it, what is compared with a probe is not judged.
    #[arg(long, value_name = "DIR")]
    probes: Option<PathBuf>,
    /// Print a JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Print the table of docs/performance.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Measure nothing, but make the table of what `--json` has printed to this file; may be given several times, and of rows of the
    /// same figure the last wins.
    #[arg(long, value_name = "FILE", requires = "markdown", conflicts_with_all = ["probes", "only", "rounds", "seconds"])]
    from: Vec<PathBuf>,
    /// Run this bench alone; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each bench runs; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long a run measures, in seconds; a bench has its own default, a probe's is 3.
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// Builds, measures, prints, and fails if a figure that must be met is not.
pub fn run(options: &Options) -> Result<(), Error> {
    if !options.from.is_empty() {
        print!("{}", markdown::render(&record::read(&options.from)?));
        return Ok(());
    }
    let product = Product::build()?;
    let probes = options.probes.as_deref().map(|folder| Probes::build(folder, product.target())).transpose()?;
    let mut judged = Vec::new();
    for bench in chosen(product.list()?, &options.only)? {
        let rounds = measure(&bench, &product, probes.as_ref(), options);
        let rows: Vec<_> = bench.rows.iter().map(|row| rounds::judge(&bench, row, &rounds)).collect();
        if options.json {
            rows.iter().for_each(|row| println!("{}", json!(Record::of(row))));
        }
        judged.extend(rows);
    }
    if options.markdown {
        print!("{}", markdown::render(&judged.iter().map(Record::of).collect::<Vec<_>>()));
    } else if !options.json {
        print!("{}", table::render(&judged));
    }
    match judged.iter().filter(|row| row.is_missed()).count() {
        0 => Ok(()),
        missed => Err(Error::NotMet(missed)),
    }
}

fn chosen(benches: Vec<Bench>, only: &[String]) -> Result<Vec<Bench>, Error> {
    if let Some(name) = only.iter().find(|name| !benches.iter().any(|bench| bench.name == **name)) {
        let known: Vec<_> = benches.into_iter().map(|bench| bench.name).collect();
        return Err(Error::NoBench { name: name.clone(), known: known.join(", ") });
    }
    Ok(benches.into_iter().filter(|bench| only.is_empty() || only.contains(&bench.name)).collect())
}

/// Runs the bench and its probe in every round, taking turns at going first.
fn measure(bench: &Bench, product: &Product, probes: Option<&Probes>, options: &Options) -> Vec<Round> {
    let probed = probes.zip(bench.probe.as_deref());
    let run_product = || product.run(&bench.name, options.seconds);
    let run_probe = || probed.map(|(probes, variant)| probes.run(variant, options.seconds.unwrap_or(3.0)));
    let round = |number: u32| {
        eprintln!("{}: round {} of {}", bench.name, number + 1, options.rounds);
        if number.is_multiple_of(2) {
            let product = run_product();
            Round { product, probe: run_probe() }
        } else {
            let probe = run_probe();
            Round { product: run_product(), probe }
        }
    };
    (0..options.rounds).map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn benches() -> Vec<Bench> {
        let bench = |name: &str| serde_json::from_str(&format!(r#"{{"name":"{name}","rows":[]}}"#)).unwrap();
        vec![bench("word-count"), bench("low-rate")]
    }

    #[test]
    fn only_chooses_and_an_unknown_name_is_an_error_that_lists_the_known() {
        assert_eq!(chosen(benches(), &[]).unwrap().len(), 2);
        assert_eq!(chosen(benches(), &["low-rate".to_owned()]).unwrap()[0].name, "low-rate");
        let error = chosen(benches(), &["low".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no bench `low`; there are: word-count, low-rate");
    }
}
