import { describe, expect, it } from 'vitest';
import { returnPath } from './returnPath';

const ORIGIN = 'https://mana.example';

describe('the path after a sign-in', () => {
	it.each(['/todo', '/companion/inbox?open=1', '/settings#missions', '/'])('keeps a path of this app: %s', (path) => {
		expect(returnPath(path, ORIGIN)).toBe(path);
	});

	it.each([
		null,
		'',
		'//evil.com',
		'/\\evil.com',
		'\\\\evil.com',
		'/\t/evil.com',
		'https://evil.com/todo',
		'https://mana.example.evil.com/',
		'javascript:alert(1)',
		'data:text/html,x',
		'http://['
	])('is the first page for an address of another origin: %s', (next) => {
		expect(returnPath(next, ORIGIN)).toBe('/');
	});

	it.each(['/.//evil.com', '/..//evil.com', 'https://mana.example//evil.com'])(
		'never begins with two slashes: %s',
		(next) => {
			const path = returnPath(next, ORIGIN);
			expect(new URL(path, ORIGIN).origin).toBe(ORIGIN);
		}
	);
});
