import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DebouncedText } from './debounced.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('follows after a pause, at once when it is emptied or settled', () => {
	const text = new DebouncedText(100);
	text.type('a');
	vi.advanceTimersByTime(60);
	text.type('ab');
	vi.advanceTimersByTime(60);
	expect(text.current).toBe('');
	vi.advanceTimersByTime(40);
	expect(text.current).toBe('ab');
	text.type('abc');
	text.settle();
	expect(text.current).toBe('abc');
	text.type('');
	expect(text.current).toBe('');
	expect(vi.getTimerCount()).toBe(0);
});
