/**
 * Imported before the CEL library, which makes a coder of bytes when it is loaded: a realm of rules has none, and
 * conditions have no bytes.
 */
class NoCoder {
  encode(): never {
    throw new TypeError('conditions have no bytes');
  }

  decode(): never {
    throw new TypeError('conditions have no bytes');
  }
}

if (!Reflect.has(globalThis, 'TextEncoder')) Object.assign(globalThis, { TextEncoder: NoCoder, TextDecoder: NoCoder });
