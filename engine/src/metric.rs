//! Metrics for readers: which values are better, and how a value is printed.

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Low values.
    Lower,
    /// High values.
    Higher,
    /// Values near zero.
    NearZero,
}

impl Better {
    /// The usual reading of a metric.
    pub fn of(metric: &str) -> Self {
        match metric {
            "accuracy"
            | "r2"
            | "correlation"
            | "anomaly_correlation"
            | "skill"
            | "nse"
            | "explained" => Better::Higher,
            "bias" => Better::NearZero,
            _ => Better::Lower,
        }
    }

    /// The sign of an improvement; 0 where the sign does not decide.
    pub fn good_sign(self) -> f64 {
        match self {
            Better::Lower => -1.0,
            Better::Higher => 1.0,
            Better::NearZero => 0.0,
        }
    }

    /// Lower is better.
    pub fn cost(self, value: f64) -> f64 {
        match self {
            Better::Lower => value,
            Better::Higher => -value,
            Better::NearZero => value.abs(),
        }
    }

    /// The relative change, of absolute values where those near zero are better.
    pub fn change(self, from: f64, to: f64) -> Option<f64> {
        let (from, to) = match self {
            Better::NearZero => (from.abs(), to.abs()),
            Better::Lower | Better::Higher => (from, to),
        };
        (from != 0.0).then(|| (to - from) / from.abs())
    }
}

/// Four significant digits, with a true minus sign.
pub fn significant(value: f64) -> String {
    let magnitude = if value == 0.0 {
        0.0
    } else {
        value.abs().log10().floor()
    };
    let text = if !value.is_finite() {
        return value.to_string();
    } else if (-4.0..7.0).contains(&magnitude) {
        let decimals = (3.0 - magnitude).clamp(0.0, 7.0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(significant(1234567.0), "1234567");
        assert_eq!(significant(-0.012345), "−0.01235");
        assert_eq!(significant(1.5e-9), "1.500e−9");
        assert_eq!(significant(0.0), "0.000");
    }
}
