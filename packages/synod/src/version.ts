import { readFileSync } from 'node:fs';

/** Of this package; `0.0.0` where its manifest does not lie beside the code, as in a bundle. */
export const VERSION: string = (() => {
  try {
    // Beside `src` and `dist` alike.
    return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
      .version;
  } catch {
    return '0.0.0';
  }
})();
