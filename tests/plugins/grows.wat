;; Takes ever more memory, then fails on purpose.
(module
  (memory (export "memory") 1)
  (func (export "call") (param $length i32) (result i32)
    (if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then (unreachable)))
    (i32.const 7)))
