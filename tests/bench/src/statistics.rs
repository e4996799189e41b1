//! Medians and quantiles.

use crate::say;

/// Returns the middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 50)
}

/// Returns the value below which this number of hundredths of the values are.
pub(crate) fn quantile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = values.len() * hundredths / 100;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// A figure of one run: its name, its unit, and its value.
pub(crate) type Figure = (&'static str, &'static str, f64);

/// Prints the medians of several runs, tidegate's beside those of the minimal server.
pub(crate) fn table(ours: &[Vec<Figure>], least: &[Vec<Figure>]) -> anyhow::Result<()> {
    say(&format!("{:<50} {:>12} {:>23} {:>12} {:>8}", "medians", "tidegate", "(min–max)", "floor", "ratio"))?;
    let Some(first) = ours.first() else { return Ok(()) };
    for (name, unit, _) in first {
        let of = |runs: &[Vec<Figure>]| -> Vec<f64> {
            let named = runs.iter().flatten().filter(|(other, ..)| other == name);
            named.map(|(.., value)| *value).collect()
        };
        let (values, floor) = (of(ours), median(of(least)));
        let middle = median(values.clone());
        let range = format!(
            "({:.2}–{:.2})",
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        );
        let label = if unit.is_empty() { (*name).to_owned() } else { format!("{name} [{unit}]") };
        say(&format!("{label:<50} {middle:>12.2} {range:>23} {floor:>12.2} {:>8.2}", middle / floor))?;
    }
    Ok(())
}
