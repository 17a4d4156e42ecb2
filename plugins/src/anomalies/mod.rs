//! anomalies
