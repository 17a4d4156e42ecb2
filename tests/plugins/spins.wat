;; Modules that go wrong: what it does follows from the length of the call's line, odd or even.
(module
  (memory (export "memory") 1)
  (func (export "call") (param $length i32) (result i32)
    (loop $for_ever (br $for_ever))
    (i32.const 0)))
