//! How many seeds a difference takes to be seen, told by the spread of a pilot.

use crate::comparison::Comparison;
use crate::number;
use crate::statistics::Difference;
use crate::table::{Table, TableOf};

/// A tested difference, by name.
struct Tested {
    what: String,
    difference: Difference,
}

impl Comparison {
    /// The spread of each tested difference over seeds, and the seeds with which a difference of
    /// `effect` is found with a chance of 80 %; none without three seeds on each side.
    ///
    /// Differences are those of the verdicts, to the best variant, and those of the contrasts.
    pub fn power(&self, effect: f64) -> Option<Table> {
        let best = self.variants.first().map_or("", |best| &*best.label);
        let to_the_best = self.variants.iter().filter_map(|variant| {
            Some(Tested {
                what: format!("{} against {best}", variant.label),
                difference: variant.difference?,
            })
        });
        let names = self.key_names();
        let contrasts = self.contrasts.iter().flat_map(|contrast| {
            let [one, other] = &contrast.values;
            let key = names.of(&contrast.key);
            contrast.pairs.iter().filter_map(move |pair| {
                Some(Tested {
                    what: format!("{key} {other} against {one} at {}", pair.label),
                    difference: pair.difference?,
                })
            })
        });
        let all: Vec<Tested> = contrasts.chain(to_the_best).collect();
        if all.is_empty() {
            return None;
        }
        let seeds = format!("seeds for {}", number::short(effect));
        let table = TableOf::new("power", all)
            .text("difference", |one| one.what.clone())
            .number("seeds", |one| one.difference.seeds().to_string())
            .number("spread", |one| number::short(one.difference.spread))
            .number("seen with these", |one| {
                number::short(one.difference.smallest())
            })
            .number(&seeds, |one| {
                one.difference.seeds_for(effect).expected.to_string()
            })
            .number("at most", |one| {
                one.difference.seeds_for(effect).at_most.to_string()
            });
        Some(table.build())
    }
}
