//! The lines that scripts have been grepping for since 1.0.1.

mod sample;

use pysurge_report::classic;

#[test]
fn the_classic_lines_are_as_they_were() {
    let mut upload = sample::test(
        "<UploadTest kwargs={}>",
        "upload test, legacy: False",
        sample::passed(6_987),
    );
    upload.account.failed = 1;
    upload.account.planned = 6_988;
    upload
        .metrics
        .insert("upload->db_time_in_sec".into(), sample::metric(2.668_292_4));
    let mut bare = sample::test("<Bare kwargs={}>", "bare", sample::passed(1));
    // Neither a name nor a warm-up was known then.
    bare.name = Some("called otherwise".into());
    bare.warmup = Some(sample::warmup(sample::passed(600)));
    let mut summary = sample::summary(vec![upload, bare]);
    summary.elapsed_s = 1_849.129_022_4;
    assert_eq!(
        classic::lines(&summary),
        [
            "---- Results for test '<UploadTest kwargs={}> -- upload test, legacy: False' ----",
            ">>> Ran for 1849.129022 sec, fired 6988 total tests",
            ">>> Successes: 6987, failures: 1",
            "---- Metrics for test '<UploadTest kwargs={}> -- upload test, legacy: False' ----",
            ">>> upload->db_time_in_sec: 2.668292",
            "",
            "---- Results for test '<Bare kwargs={}> -- bare' ----",
            ">>> Ran for 1849.129022 sec, fired 1 total tests",
            ">>> Successes: 1, failures: 0",
            "---- Metrics for test '<Bare kwargs={}> -- bare' ----",
            "",
        ]
    );
}
