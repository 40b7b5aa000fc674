//! The figures as one message of OTLP. Counts and buckets are cumulative from the start of the run; the buckets are those of the page for
//! Prometheus, which every receiver understands, with the exact minimum and maximum beside them.

use super::OtlpSettings;
use crate::figures::spec::{Kind, Unit};
use crate::figures::{BOUNDS, Family, Labels, Point, Snapshot, Tally, Value};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use pysurge_core::VERSION;

/// From when to when the figures count, wall time in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    started_ns: u64,
    now_ns: u64,
}

/// All figures, as they are at this wall time; `instance` tells this process from all others.
pub(super) fn request(
    snapshot: &Snapshot,
    settings: &OtlpSettings,
    instance: &str,
    now_ns: u64,
) -> ExportMetricsServiceRequest {
    let span = Span {
        started_ns: snapshot.started_ns,
        now_ns: now_ns.max(snapshot.started_ns),
    };
    let scope = ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: "pysurge".to_owned(),
            version: VERSION.to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: snapshot
            .families
            .iter()
            .map(|family| metric(family, span))
            .collect(),
        ..ScopeMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(snapshot, settings, instance)),
            scope_metrics: vec![scope],
            ..ResourceMetrics::default()
        }],
    }
}

fn resource(snapshot: &Snapshot, settings: &OtlpSettings, instance: &str) -> Resource {
    let service = settings.service.as_deref().unwrap_or("pysurge");
    let ours = [
        ("service.name", service),
        ("service.version", VERSION),
        ("service.instance.id", instance),
        ("pysurge.run", &*snapshot.run),
    ];
    let is_asked = |name: &str| settings.attributes.iter().any(|(asked, _)| asked == name);
    let kept = ours
        .into_iter()
        // The standard: the variable of its own goes before the list of attributes.
        .filter(|(name, _)| !is_asked(name) || (*name == "service.name" && settings.service.is_some()));
    let mut attributes: Vec<KeyValue> = kept.map(|(name, value)| attribute(name, value)).collect();
    for (name, value) in &settings.attributes {
        if !attributes.iter().any(|attribute| attribute.key == *name) {
            attributes.push(attribute(name, value));
        }
    }
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn metric(family: &Family, span: Span) -> Metric {
    let spec = family.spec;
    let unit = match spec.unit {
        Unit::None => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::PerSecond => "{iteration}/s",
    };
    let points = &family.points;
    let numbers = || points.iter().map(|point| number(point, span)).collect();
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match spec.kind {
        Kind::Counter | Kind::Sum => metric::Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: cumulative,
            is_monotonic: spec.kind == Kind::Counter,
        }),
        Kind::Info | Kind::Gauge => metric::Data::Gauge(Gauge {
            data_points: numbers(),
        }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: points.iter().filter_map(|point| histogram(point, span)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        name: spec.dotted(),
        description: spec.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(point: &Point, span: Span) -> NumberDataPoint {
    let value = match &point.value {
        Value::Count(count) => number_data_point::Value::AsInt(i64::try_from(*count).unwrap_or(i64::MAX)),
        Value::Number(number) => number_data_point::Value::AsDouble(*number),
        Value::Durations(_) => unreachable!("a family's points are of its kind"),
    };
    NumberDataPoint {
        attributes: attributes(&point.labels),
        start_time_unix_nano: span.started_ns,
        time_unix_nano: span.now_ns,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram(point: &Point, span: Span) -> Option<HistogramDataPoint> {
    let Value::Durations(tally) = &point.value else {
        return None;
    };
    let tally: &Tally = tally;
    Some(HistogramDataPoint {
        attributes: attributes(&point.labels),
        start_time_unix_nano: span.started_ns,
        time_unix_nano: span.now_ns,
        count: tally.count,
        sum: Some(tally.sum_s()),
        bucket_counts: tally.buckets.to_vec(),
        explicit_bounds: BOUNDS.into_iter().map(seconds).collect(),
        min: (!tally.is_empty()).then(|| tally.min_s()),
        max: (!tally.is_empty()).then(|| tally.max_s()),
        ..HistogramDataPoint::default()
    })
}

#[expect(clippy::cast_precision_loss, reason = "bounds are short")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::openmetrics::{Form, page};
    use crate::sample::{HOSTILE, events};
    use std::collections::BTreeMap;

    fn settings(env: &[(&str, &str)]) -> OtlpSettings {
        let var = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        OtlpSettings::new(None, var, |_| Ok(Vec::new())).unwrap()
    }

    fn last() -> Snapshot {
        let mut figures = Figures::default();
        let heard = events();
        heard
            .iter()
            .filter_map(|event| figures.hear(event))
            .last()
            .unwrap()
    }

    fn text(attribute: &KeyValue) -> (String, String) {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let Some(any_value::Value::StringValue(value)) = value else {
            panic!("{value:?}")
        };
        (attribute.key.clone(), value.clone())
    }

    #[test]
    fn the_resource_is_ours_unless_the_user_says_otherwise() {
        let resource = |env: &[_]| {
            let message = request(&last(), &settings(env), "7-1", 5);
            let resource = message.resource_metrics[0].resource.clone().unwrap();
            resource.attributes.iter().map(text).collect::<BTreeMap<_, _>>()
        };
        let plain = resource(&[]);
        assert_eq!(plain["service.name"], "pysurge");
        assert_eq!(plain["service.instance.id"], "7-1");
        assert_eq!(plain["pysurge.run"], "demo");
        let listed = (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=listed,team=pay,service.instance.id=x",
        );
        let listed_only = resource(&[listed]);
        assert_eq!(
            (listed_only["service.name"].as_str(), listed_only["team"].as_str()),
            ("listed", "pay")
        );
        assert_eq!(listed_only["service.instance.id"], "x");
        assert_eq!(
            resource(&[listed, ("OTEL_SERVICE_NAME", "own")])["service.name"],
            "own"
        );
    }

    /// As Prometheus names what it takes by OTLP.
    fn translated(metric: &Metric) -> String {
        let unit = match metric.unit.as_str() {
            "" => "",
            "s" => "_seconds",
            "By" => "_bytes",
            "{iteration}/s" => "_per_second",
            other => panic!("{other}"),
        };
        let ending = match &metric.data {
            Some(metric::Data::Sum(sum)) if sum.is_monotonic => "_total",
            _ => "",
        };
        format!("{}{unit}{ending}", metric.name.replace('.', "_"))
    }

    #[test]
    fn names_and_numbers_are_those_of_the_page() {
        let snapshot = last();
        let page = page(&snapshot, Form::Text);
        let message = request(&snapshot, &settings(&[]), "7-1", 2_500_000_000);
        let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
        let mut checked = 0;
        for metric in metrics {
            let name = translated(metric);
            assert!(page.contains(&format!("# TYPE {name} ")), "{name}");
            let (temporality, points) = match metric.data.as_ref().unwrap() {
                metric::Data::Gauge(gauge) => (None, &gauge.data_points),
                metric::Data::Sum(sum) => (Some(sum.aggregation_temporality), &sum.data_points),
                metric::Data::Histogram(histogram) => {
                    for point in &histogram.data_points {
                        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                        assert_eq!(
                            (point.start_time_unix_nano, point.time_unix_nano),
                            (1_000_000_000, 2_500_000_000)
                        );
                        assert_eq!(point.min.is_some(), point.count > 0);
                        checked += 1;
                    }
                    (Some(histogram.aggregation_temporality), &Vec::new())
                }
                _ => (None, &Vec::new()),
            };
            assert!(temporality.is_none_or(|is| is == i32::from(AggregationTemporality::Cumulative)));
            let samples: Vec<&str> = page
                .lines()
                .filter(|line| {
                    line.strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.starts_with('{'))
                })
                .collect();
            for (point, sample) in points.iter().zip(samples) {
                let value = match point.value.unwrap() {
                    number_data_point::Value::AsInt(value) => value.to_string(),
                    number_data_point::Value::AsDouble(value) => value.to_string(),
                };
                assert!(sample.ends_with(&format!("}} {value}")), "{sample} {value}");
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }

    #[test]
    fn a_hostile_name_is_cut_and_harmless() {
        let message = request(&last(), &settings(&[]), "7-1", 5);
        let bytes = prost::Message::encode_to_vec(&message);
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!has(HOSTILE) && !has("\u{202e}") && has("up\u{fffd}load"));
    }
}
