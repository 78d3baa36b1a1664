// `npm run validators`: writes the checks of what comes from outside, as plain code, from the schemas.
import { writeFileSync } from 'node:fs';
import { wanted } from './modules.ts';

for (const { path, text } of wanted()) writeFileSync(path, text);
