/* base/attrs.h - what a declaration can promise the compiler. */
#ifndef BASE_ATTRS_H
#define BASE_ATTRS_H

#define must_check              __attribute__((warn_unused_result))
#define printf_like(text, args) __attribute__((format(printf, text, args)))
#define null_ended              __attribute__((sentinel))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
