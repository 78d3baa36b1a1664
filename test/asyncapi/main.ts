// `npm run asyncapi`: writes the AsyncAPI document of the public subjects from the schemas.
import { writeFileSync } from 'node:fs';
import { file, wanted } from './document.ts';

writeFileSync(file, wanted());
