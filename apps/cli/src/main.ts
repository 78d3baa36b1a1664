#!/usr/bin/env node
import { run } from './program.ts';

// `synod watch | head -1`: who reads no more wants no more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70));

// A connection that still dials would keep the process alive; all that had to end in order has ended.
process.exit(await run(process.argv.slice(2)));
