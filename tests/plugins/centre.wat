;; A regression in WebAssembly: the mean anomaly for all predictors, slopes of zero.
;;
;; `regime.safetensors` holds one predictor, F64 `[rows, 1]`; `shift.safetensors` the anomalies, F32
;; `[rows, weights]`. The answer is `coefficients`, F32 `[2, weights]`.
(module
  (import "farcast" "read" (func $read (param i32 i32 i64 i32 i32) (result i64)))
  (import "farcast" "write" (func $write (param i32 i32 i32 i32)))
  (import "farcast" "progress" (func $progress (param i64 i64 f64)))
  (memory (export "memory") 4)
  (data (i32.const 0) "shift.safetensors")
  (data (i32.const 32) "regime.safetensors")
  (data (i32.const 64) "result.json")
  (data (i32.const 80) "result.safetensors")
  (data (i32.const 112) "{\"degree\": 1}")
  (data (i32.const 128) "{\"coefficients\":{\"dtype\":\"F32\",\"shape\":[2,")
  (data (i32.const 192) "],\"data_offsets\":[0,")
  (data (i32.const 224) "]}}")
  ;; The bytes of an array file without its header.
  (func $body (param $name i32) (param $length i32) (result i64)
    (local $size i64)
    (local.set $size (call $read (local.get $name) (local.get $length)
      (i64.const 0) (i32.const 256) (i32.const 8)))
    (i64.sub (i64.sub (local.get $size) (i64.const 8)) (i64.load (i32.const 256))))
  ;; Appends text to the header that is made at 512; returns where it ends.
  (func $text (param $at i32) (param $from i32) (param $length i32) (result i32)
    (memory.copy (local.get $at) (local.get $from) (local.get $length))
    (i32.add (local.get $at) (local.get $length)))
  (func $number (param $at i32) (param $n i32) (result i32)
    (local $end i32) (local $start i32)
    (local.set $start (i32.const 320))
    (loop $more
      (local.set $start (i32.sub (local.get $start) (i32.const 1)))
      (i32.store8 (local.get $start)
        (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
      (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
      (br_if $more (local.get $n)))
    (call $text (local.get $at) (local.get $start) (i32.sub (i32.const 320) (local.get $start))))
  (func (export "call") (param $line i32) (result i32)
    (local $rows i32) (local $weights i32) (local $header i64) (local $end i32)
    (local $row i32) (local $weight i32) (local $sum f64)
    (local.set $rows (i32.wrap_i64 (i64.div_u
      (call $body (i32.const 32) (i32.const 18)) (i64.const 8))))
    (local.set $weights (i32.div_u (i32.wrap_i64 (i64.div_u
      (call $body (i32.const 0) (i32.const 17)) (i64.const 4))) (local.get $rows)))
    (local.set $header (i64.add (i64.const 8) (i64.load (i32.const 256))))
    ;; The header of the answer, then means, then zeros.
    (local.set $end (call $text (i32.const 520) (i32.const 128) (i32.const 42)))
    (local.set $end (call $number (local.get $end) (local.get $weights)))
    (local.set $end (call $text (local.get $end) (i32.const 192) (i32.const 20)))
    (local.set $end (call $number (local.get $end) (i32.mul (local.get $weights) (i32.const 8))))
    (local.set $end (call $text (local.get $end) (i32.const 224) (i32.const 3)))
    (i64.store (i32.const 512) (i64.extend_i32_u (i32.sub (local.get $end) (i32.const 520))))
    (call $write (i32.const 80) (i32.const 18) (i32.const 512)
      (i32.sub (local.get $end) (i32.const 512)))
    (loop $columns
      (local.set $sum (f64.const 0))
      (local.set $row (i32.const 0))
      (loop $sums
        (drop (call $read (i32.const 0) (i32.const 17)
          (i64.add (local.get $header) (i64.extend_i32_u (i32.mul (i32.const 4)
            (i32.add (i32.mul (local.get $row) (local.get $weights)) (local.get $weight)))))
          (i32.const 256) (i32.const 4)))
        (local.set $sum (f64.add (local.get $sum) (f64.promote_f32 (f32.load (i32.const 256)))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $sums (i32.lt_u (local.get $row) (local.get $rows))))
      (f32.store (i32.const 256) (f32.demote_f64
        (f64.div (local.get $sum) (f64.convert_i32_u (local.get $rows)))))
      (call $write (i32.const 80) (i32.const 18) (i32.const 256) (i32.const 4))
      (local.set $weight (i32.add (local.get $weight) (i32.const 1)))
      (call $progress (i64.extend_i32_u (local.get $weight))
        (i64.extend_i32_u (local.get $weights)) (f64.const nan))
      (br_if $columns (i32.lt_u (local.get $weight) (local.get $weights))))
    (i32.store (i32.const 256) (i32.const 0))
    (loop $zeros
      (call $write (i32.const 80) (i32.const 18) (i32.const 256) (i32.const 4))
      (local.set $weight (i32.sub (local.get $weight) (i32.const 1)))
      (br_if $zeros (local.get $weight)))
    (call $write (i32.const 64) (i32.const 11) (i32.const 112) (i32.const 13))
    (i32.const 0)))
